import { utf8Encode } from './bytes.ts'

/** Longest head of an item: initial byte and a 64-bit argument. */
const HEAD_BYTES = 9

/** Where items are put together; grows by need. */
let scratch = new Uint8Array(4096)
let view = new DataView(scratch.buffer)

/** What cannot be written: the caller says what is wrong with it. */
export class NotEncodable extends Error {}

/**
 * Writes one item in the core deterministic form of RFC 8949 section 4.2.1, in one pass that also checks the data model of
 * version 1 (see `cbor.ts`). `maxDepth`: how many levels of arrays and maps may be nested. Throws {@link NotEncodable}.
 */
export function writeCanonical(value: unknown, maxDepth: number): Uint8Array {
  const end = item(0, value, maxDepth)
  const bytes = scratch.slice(0, end)
  // Among what is written are keys.
  scratch.fill(0, 0, end)
  return bytes
}

function item(offset: number, value: unknown, depth: number): number {
  if (value instanceof Uint8Array) return string(offset, 0x40, value)
  if (typeof value === 'string') return text(offset, value)
  if (typeof value === 'number') return integer(offset, value)
  if (Array.isArray(value)) {
    if (depth <= 0) throw new NotEncodable()
    let end = head(offset, 0x80, value.length)
    for (const element of value) end = item(end, element, depth - 1)
    return end
  }
  if (value === null) return simple(offset, 0xf6)
  if (typeof value === 'boolean') return simple(offset, value ? 0xf5 : 0xf4)
  if (depth > 0 && isPlainObject(value)) return map(offset, value, depth - 1)
  throw new NotEncodable()
}

function integer(offset: number, value: number): number {
  if (!Number.isSafeInteger(value)) throw new NotEncodable()
  return value >= 0 ? head(offset, 0x00, value) : head(offset, 0x20, -1 - value)
}

function simple(offset: number, initial: number): number {
  reserve(offset + 1)
  scratch[offset] = initial
  return offset + 1
}

function text(offset: number, value: string): number {
  const { length } = value
  reserve(offset + HEAD_BYTES + length)
  const start = head(offset, 0x60, length)
  for (let index = 0; index < length; index++) {
    const code = value.charCodeAt(index)
    if (code > 0x7f) return wideText(offset, value)
    scratch[start + index] = code
  }
  return start + length
}

/** Text that is not ASCII. */
function wideText(offset: number, value: string): number {
  if (!value.isWellFormed() || value.startsWith('\ufeff')) throw new NotEncodable()
  return string(offset, 0x60, utf8Encode(value))
}

function string(offset: number, major: number, bytes: Uint8Array): number {
  reserve(offset + HEAD_BYTES + bytes.length)
  const start = head(offset, major, bytes.length)
  scratch.set(bytes, start)
  return start + bytes.length
}

/** Keys in the order of their encodings: the shorter first, then byte by byte. */
function map(offset: number, value: Record<string, unknown>, depth: number): number {
  const members = Object.keys(value).map((key) => {
    if (!key.isWellFormed() || key.startsWith('\ufeff')) throw new NotEncodable()
    return { key, bytes: utf8Encode(key) }
  })
  members.sort((one, other) => compareKeys(one.bytes, other.bytes))
  let end = head(offset, 0xa0, members.length)
  for (const { key, bytes } of members) end = item(string(end, 0x60, bytes), value[key], depth)
  return end
}

function compareKeys(one: Uint8Array, other: Uint8Array): number {
  if (one.length !== other.length) return one.length - other.length
  for (let index = 0; index < one.length; index++) {
    const difference = one[index]! - other[index]!
    if (difference !== 0) return difference
  }
  return 0
}

/** An initial byte and its argument in the shortest form. */
function head(offset: number, major: number, argument: number): number {
  reserve(offset + HEAD_BYTES)
  if (argument < 24) {
    scratch[offset] = major | argument
    return offset + 1
  }
  if (argument < 0x100) {
    scratch[offset] = major | 24
    scratch[offset + 1] = argument
    return offset + 2
  }
  if (argument < 0x10000) {
    scratch[offset] = major | 25
    view.setUint16(offset + 1, argument)
    return offset + 3
  }
  if (argument < 0x100000000) {
    scratch[offset] = major | 26
    view.setUint32(offset + 1, argument)
    return offset + 5
  }
  scratch[offset] = major | 27
  view.setUint32(offset + 1, Math.floor(argument / 0x100000000))
  view.setUint32(offset + 5, argument % 0x100000000)
  return offset + 9
}

function reserve(length: number): void {
  if (length <= scratch.length) return
  const larger = new Uint8Array(2 * length)
  larger.set(scratch)
  scratch.fill(0)
  scratch = larger
  view = new DataView(larger.buffer)
}

/** True for `{…}` and for objects without a prototype; false for arrays, maps, dates and class instances. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
