/** Documents as trees: what CBOR and JSON have in common, with a place for what neither allows. */
import { decode, encode, rfc8949EncodeOptions } from 'cborg'

const textEncoder = new TextEncoder()

/** A map that may hold a key twice, or `__proto__`. */
export class Entries {
  list: [unknown, unknown][]
  constructor(list: [unknown, unknown][]) {
    this.list = list
  }
}

/** Written as it is, whatever the format's rules say. */
export class Raw {
  readonly cbor: Uint8Array
  readonly json: string
  constructor(cbor: Uint8Array | readonly number[], json: string) {
    this.cbor = Uint8Array.from(cbor)
    this.json = json
  }
}

/** A value inside this many arrays. */
export class Nested {
  readonly value: unknown
  readonly depth: number
  constructor(value: unknown, depth: number) {
    this.value = value
    this.depth = depth
  }
}

/** The tree of a CBOR item, or undefined for anything else. */
export function treeOfCbor(bytes: Uint8Array): unknown {
  const major = (bytes[0] ?? 0xff) >> 5
  if (major !== 4 && major !== 5) return undefined
  try {
    return treeOf(decode(bytes, { useMaps: true, strict: true }))
  } catch (_notCbor) {
    return undefined
  }
}

/** The tree of a JSON array or object, or undefined for anything else. */
export function treeOfJson(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return treeOf(JSON.parse(text))
  } catch (_notJson) {
    return undefined
  }
}

/** Deeper documents are left to mutations of bytes: trees are walked by recursion. */
const DEEPEST = 500

/** A copy in which every map is {@link Entries}. Byte strings are shared. Throws `RangeError` for one that is too deep. */
export function treeOf(value: unknown, depth = 0): unknown {
  if (depth > DEEPEST) throw new RangeError('The document nests too deep')
  const inner = (item: unknown) => treeOf(item, depth + 1)
  if (value instanceof Entries) return new Entries(value.list.map(([key, item]) => [inner(key), inner(item)]))
  if (value instanceof Map) return new Entries([...value].map(([key, item]) => [inner(key), inner(item)]))
  if (Array.isArray(value)) return value.map(inner)
  if (typeof value === 'symbol') return null // cborg's for a break where a value should stand
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  if (value instanceof Raw || value instanceof Nested) return value
  return new Entries(Object.entries(value).map(([key, item]) => [key, inner(item)]))
}

/** Deterministic CBOR where the tree allows it. `sloppy` leaves map keys in their order. */
export function writeCbor(value: unknown, sloppy = false): Uint8Array {
  const parts: Uint8Array[] = []
  appendCbor(value, sloppy, parts)
  return Uint8Array.from(Buffer.concat(parts))
}

function appendCbor(value: unknown, sloppy: boolean, parts: Uint8Array[]): void {
  if (value instanceof Raw) parts.push(value.cbor)
  else if (value instanceof Uint8Array) parts.push(cborHead(2, value.length), value)
  else if (typeof value === 'string') {
    const text = textEncoder.encode(value)
    parts.push(cborHead(3, text.length), text)
  } else if (typeof value === 'number' && Number.isSafeInteger(value)) {
    parts.push(value < 0 ? cborHead(1, -1 - value) : cborHead(0, value))
  } else if (Array.isArray(value)) {
    parts.push(cborHead(4, value.length))
    for (const item of value) appendCbor(item, sloppy, parts)
  } else if (value instanceof Entries) {
    const pairs = value.list.map(([key, item]) => [writeCbor(key, sloppy), item] as const)
    if (!sloppy) pairs.sort(([left], [right]) => Buffer.compare(left, right))
    parts.push(cborHead(5, pairs.length))
    for (const [key, item] of pairs) {
      parts.push(key)
      appendCbor(item, sloppy, parts)
    }
  } else if (value instanceof Nested) {
    parts.push(new Uint8Array(value.depth).fill(0x81))
    appendCbor(value.value, sloppy, parts)
  } else parts.push(encode(value, rfc8949EncodeOptions))
}

/** The shortest head of a CBOR item (RFC 8949 section 3). */
export function cborHead(major: number, argument: number): Uint8Array {
  const initial = major << 5
  if (argument < 24) return Uint8Array.of(initial | argument)
  if (argument < 0x100) return Uint8Array.of(initial | 24, argument)
  if (argument < 0x1_0000) return Uint8Array.of(initial | 25, argument >> 8, argument & 0xff)
  const wide = argument > 0xffff_ffff
  const head = new Uint8Array(wide ? 9 : 5)
  const view = new DataView(head.buffer)
  head[0] = initial | (wide ? 27 : 26)
  if (wide) view.setBigUint64(1, BigInt(argument))
  else view.setUint32(1, argument)
  return head
}

export function writeJson(value: unknown): string {
  if (value instanceof Raw) return value.json
  if (value instanceof Nested)
    return '['.repeat(value.depth) + writeJson(value.value) + ']'.repeat(value.depth)
  if (Array.isArray(value)) return `[${value.map(writeJson).join(',')}]`
  if (value instanceof Entries) {
    return `{${value.list.map(([key, item]) => `${JSON.stringify(String(key))}:${writeJson(item)}`).join(',')}}`
  }
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64url'))
  if (typeof value === 'bigint') return value.toString()
  return JSON.stringify(value) ?? 'null'
}
