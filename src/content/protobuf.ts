/**
 * Protobuf (proto3) as XMTP's content types need it: strings, bytes, unsigned numbers and nested messages. Written like
 * prost writes it: in the order of the fields, defaults left out. Read like every proto3 reader: the last one of a repeated
 * scalar counts, unknown fields are passed over.
 */
import { concatBytes } from '../envelope/index.ts'
import { bytesInvalid, ContentError } from './errors.ts'
import { bytesOf, textOf } from './utf8.ts'

const VARINT = 0
const LENGTH = 2
const MOST_VARINT_BYTES = 10
const MOST_FIELDS = 10_000

/** Values by field number, in the order in which they came. */
export interface Fields {
  /** The last text of the field; empty where it is absent. */
  text(field: number): string
  optionalText(field: number): string | null
  bytes(field: number): Uint8Array
  number(field: number): number
  optionalNumber(field: number): number | null
  /** Each message of the field, as bytes. */
  messages(field: number): Uint8Array[]
}

/** Reads one message. Throws `content-bytes-invalid`, also when a field is read as another kind than it is. */
export function readFields(message: Uint8Array, what: string): Fields {
  const values = scan(message, what)
  const last = (field: number) => values.get(field)?.at(-1)

  function lengthOf(value: number | Uint8Array): Uint8Array {
    if (value instanceof Uint8Array) return value
    throw bytesInvalid(what, 'a field is a number that should be bytes')
  }
  function optionalText(field: number): string | null {
    const value = last(field)
    return value === undefined ? null : textOf(lengthOf(value), what)
  }
  function optionalNumber(field: number): number | null {
    const value = last(field)
    if (value === undefined) return null
    if (typeof value === 'number') return value
    throw bytesInvalid(what, 'a field is bytes that should be a number')
  }
  return {
    optionalText,
    optionalNumber,
    text: (field) => optionalText(field) ?? '',
    number: (field) => optionalNumber(field) ?? 0,
    bytes: (field) => lengthOf(last(field) ?? new Uint8Array()),
    messages: (field) => (values.get(field) ?? []).map(lengthOf),
  }
}

function scan(message: Uint8Array, what: string): Map<number, (number | Uint8Array)[]> {
  const values = new Map<number, (number | Uint8Array)[]>()
  let offset = 0

  function varint(): number {
    let value = 0
    for (let index = 0; index < MOST_VARINT_BYTES; index++) {
      const byte = message[offset++]
      if (byte === undefined) throw bytesInvalid(what, 'it ends within a number')
      value += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return value
    }
    throw bytesInvalid(what, 'a number takes more than ten bytes')
  }
  function advance(count: number): Uint8Array {
    if (count > message.length - offset) throw bytesInvalid(what, 'it ends within a field')
    offset += count
    return message.subarray(offset - count, offset)
  }

  for (let count = 0; offset < message.length; count++) {
    if (count >= MOST_FIELDS) throw bytesInvalid(what, `it has more than ${MOST_FIELDS} fields`)
    const tag = varint()
    const [field, wireType] = [Math.floor(tag / 8), tag % 8]
    if (field === 0) throw bytesInvalid(what, 'a field has no number')
    if (wireType === 1) advance(8)
    else if (wireType === 5) advance(4)
    else if (wireType !== VARINT && wireType !== LENGTH) {
      throw bytesInvalid(what, `wire type ${wireType} is not read`)
    } else {
      const value = wireType === VARINT ? varint() : advance(varint())
      const list = values.get(field)
      if (list) list.push(value)
      else values.set(field, [value])
    }
  }
  return values
}

/** One field, left out where it has the default value. Numbers are whole and not negative. */
export function field(number: number, value: string | Uint8Array | number): Uint8Array {
  const isDefault = typeof value === 'number' ? value === 0 : value.length === 0
  return isDefault ? new Uint8Array() : optionalField(number, value)
}

/** One field that says whether it is there: left out for null alone. Nested messages are such fields too. */
export function optionalField(number: number, value: string | Uint8Array | number | null): Uint8Array {
  if (value === null) return new Uint8Array()
  if (typeof value === 'number') return concatBytes(varintBytes(number * 8 + VARINT), varintBytes(value))
  const bytes = typeof value === 'string' ? bytesOf(value) : value
  return concatBytes(varintBytes(number * 8 + LENGTH), varintBytes(bytes.length), bytes)
}

function varintBytes(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ContentError('content-value-invalid', 'A number of the content is not whole, or negative')
  }
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
