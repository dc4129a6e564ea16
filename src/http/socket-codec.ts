/**
 * The CBOR of the socket's busiest messages, without the intermediate tokens of a general library, which cost more than all
 * else that the gateway does to a message of the socket.
 */

let scratch = Buffer.allocUnsafeSlow(64 * 1024)

/** Encodes null, booleans, unsigned integers, text, bytes, arrays and plain objects; keys stay in their order. */
export function encodeMessage(value: unknown): Uint8Array {
  const end = write(0, value)
  return Buffer.from(scratch.subarray(0, end))
}

const MAJOR = { uint: 0x00, bytes: 0x40, text: 0x60, array: 0x80, map: 0xa0 } as const
const FALSE = 0xf4
const TRUE = 0xf5
const NULL = 0xf6
/** Longest head of an item. */
const HEAD_BYTES = 9

function write(offset: number, value: unknown): number {
  if (typeof value === 'string') return writeText(offset, value)
  if (typeof value === 'number') return writeHead(offset, MAJOR.uint, value)
  if (value instanceof Uint8Array) {
    reserve(offset + HEAD_BYTES + value.length)
    const start = writeHead(offset, MAJOR.bytes, value.length)
    scratch.set(value, start)
    return start + value.length
  }
  if (Array.isArray(value)) {
    let end = writeHead(offset, MAJOR.array, value.length)
    for (const item of value) end = write(end, item)
    return end
  }
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value)
    let end = writeHead(offset, MAJOR.map, keys.length)
    for (const key of keys) end = write(writeText(end, key), (value as Record<string, unknown>)[key])
    return end
  }
  if (value !== null && typeof value !== 'boolean') {
    throw new TypeError(`A message of the socket holds a value of type ${typeof value}`)
  }
  reserve(offset + 1)
  scratch[offset] = value === null ? NULL : value ? TRUE : FALSE
  return offset + 1
}

function writeText(offset: number, text: string): number {
  const length = Buffer.byteLength(text)
  reserve(offset + HEAD_BYTES + length)
  const start = writeHead(offset, MAJOR.text, length)
  return start + scratch.write(text, start)
}

function writeHead(offset: number, major: number, argument: number): number {
  if (!Number.isSafeInteger(argument) || argument < 0) {
    throw new TypeError('A message of the socket holds a number that is not an unsigned integer')
  }
  reserve(offset + HEAD_BYTES)
  if (argument < 24) return scratch.writeUInt8(major | argument, offset)
  if (argument < 0x100) return scratch.writeUInt8(argument, scratch.writeUInt8(major | 24, offset))
  if (argument < 0x10000) return scratch.writeUInt16BE(argument, scratch.writeUInt8(major | 25, offset))
  if (argument < 0x100000000) return scratch.writeUInt32BE(argument, scratch.writeUInt8(major | 26, offset))
  const start = scratch.writeUInt8(major | 27, offset)
  scratch.writeUInt32BE(Math.floor(argument / 0x100000000), start)
  return scratch.writeUInt32BE(argument >>> 0, start + 4)
}

function reserve(length: number): void {
  if (length <= scratch.length) return
  const larger = Buffer.allocUnsafeSlow(2 * length)
  larger.set(scratch)
  scratch = larger
}

/**
 * Reads `[kind, requestId, {wallet, sealed}]` with the two members in either order. Null when the bytes are anything else, in
 * whatever way: the general decoder then says what they are, or what is wrong with them.
 */
export function readSubmission(
  bytes: Uint8Array,
  kind: number,
): { requestId: number; wallet: string; sealed: Uint8Array } | null {
  if (bytes[0] !== (MAJOR.array | 3) || bytes[1] !== kind) return null
  const reader = { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 2 }
  const requestId = readHead(reader, MAJOR.uint)
  if (requestId === null || readHead(reader, MAJOR.map) !== 2) return null
  let wallet: string | null = null
  let sealed: Uint8Array | null = null
  for (let member = 0; member < 2; member++) {
    const name = readString(reader, MAJOR.text)?.toString('latin1')
    if (name === 'wallet' && wallet === null) wallet = textOf(readString(reader, MAJOR.text))
    else if (name === 'sealed' && sealed === null) sealed = readString(reader, MAJOR.bytes)
    else return null
  }
  if (wallet === null || sealed === null || reader.offset !== bytes.length) return null
  // A copy: what came in is a piece of a large buffer, and the envelope is kept in memory for a while.
  return { requestId, wallet, sealed: new Uint8Array(sealed) }
}

interface Reader {
  readonly bytes: Buffer
  offset: number
}

/** The argument of an item of this major type, in its shortest form and below 2^32. */
function readHead(reader: Reader, major: number): number | null {
  const { bytes, offset } = reader
  const initial = bytes[offset]
  if (initial === undefined || (initial & 0xe0) !== major) return null
  const additional = initial & 0x1f
  if (additional < 24) {
    reader.offset = offset + 1
    return additional
  }
  const width = additional === 24 ? 1 : additional === 25 ? 2 : additional === 26 ? 4 : 0
  if (width === 0 || offset + 1 + width > bytes.length) return null
  reader.offset = offset + 1 + width
  const argument = bytes.readUIntBE(offset + 1, width)
  return argument >= (width === 1 ? 24 : 2 ** (4 * width)) ? argument : null
}

function readString(reader: Reader, major: number): Buffer | null {
  const length = readHead(reader, major)
  if (length === null || reader.offset + length > reader.bytes.length) return null
  reader.offset += length
  return reader.bytes.subarray(reader.offset - length, reader.offset)
}

/** ASCII, as all wallet keys are; null for other text. */
function textOf(bytes: Buffer | null): string | null {
  return bytes?.every((byte) => byte < 0x80) ? bytes.toString('latin1') : null
}
