/** Mutations of protobuf messages, field by field (https://protobuf.dev/programming-guides/encoding/). */
import { concatBytes } from '../../src/envelope/index.ts'
import type { Dice } from './dice.ts'
import { mutateBytes } from './mutate-bytes.ts'

interface Field {
  number: number
  wireType: number
  /** Varints as their value; everything else as bytes. */
  value: bigint | Uint8Array
}

const VARINTS: readonly bigint[] = [
  0n,
  1n,
  2n,
  127n,
  128n,
  255n,
  300n,
  0x7fffffffn,
  0xffffffffn,
  1n << 32n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  (1n << 70n) - 1n,
]
const LENGTHS: readonly bigint[] = [0n, 1n, 0x7fffffffn, 0xffffffffn, (1n << 63n) - 1n, (1n << 64n) - 1n]

/** One or two edits of the fields, or of the bytes. */
export function mutateProtobuf(bytes: Uint8Array, dice: Dice, other: Uint8Array): Uint8Array {
  const fields = dice.chance(0.85) ? readFields(bytes) : null
  if (!fields || fields.length === 0) return mutateBytes(bytes, dice, other)
  let lie: number | null = null
  for (let edits = dice.chance(0.7) ? 1 : 2; edits > 0; edits--) {
    const at = dice.upTo(Math.max(0, fields.length - 1))
    const field = fields[at]
    switch (dice.upTo(9)) {
      case 0:
        fields.splice(at, 1)
        break
      case 1:
        if (field)
          for (let copies = dice.pick([1, 1, 1, 5, 150]); copies > 0; copies--)
            fields.splice(at, 0, { ...field })
        break
      case 2:
        if (field)
          field.number = dice.pick([0, 1, 2, 3, 4, 10, 11, 20, 51, 1000, 536_870_911, field.number + 1])
        break
      case 3:
        if (field) field.wireType = dice.upTo(7)
        break
      case 4:
        lie = at
        break
      case 5: {
        const foreign = readFields(other)
        if (foreign && foreign.length > 0) fields.splice(at, 0, dice.pick(foreign))
        break
      }
      case 6: {
        const moved = fields.splice(at, 1)
        fields.splice(dice.upTo(fields.length), 0, ...moved)
        break
      }
      default:
        if (field) field.value = editValue(field.value, dice)
    }
  }
  const parts = fields.map((item, index) => writeField(item, index === lie ? dice : null))
  return Uint8Array.from(Buffer.concat(parts))
}

function editValue(value: bigint | Uint8Array, dice: Dice): bigint | Uint8Array {
  if (typeof value === 'bigint')
    return dice.chance(0.6) ? dice.pick(VARINTS) : value + (dice.chance(0.5) ? 1n : 1n << 10n)
  if (value.length > 8 && dice.chance(0.6) && readFields(value)) return mutateProtobuf(value, dice, value)
  if (dice.chance(0.01)) return new Uint8Array(dice.pick([1_000, 130_000, 200_000])).fill(0x61)
  return mutateBytes(value, dice)
}

/** The fields of a message, or null for bytes that are none. */
function readFields(bytes: Uint8Array): Field[] | null {
  const fields: Field[] = []
  let position = 0
  const varint = (): bigint | null => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[position++]
      if (byte === undefined) return null
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return null
  }
  while (position < bytes.length) {
    const key = varint()
    if (key === null || key >> 3n === 0n || key > 0xffff_ffffn) return null
    const number = Number(key >> 3n)
    const wireType = Number(key & 7n)
    if (wireType === 0) {
      const value = varint()
      if (value === null) return null
      fields.push({ number, wireType, value })
      continue
    }
    const length = wireType === 1 ? 8n : wireType === 5 ? 4n : wireType === 2 ? varint() : null
    if (length === null || BigInt(position) + length > BigInt(bytes.length)) return null
    fields.push({ number, wireType, value: bytes.slice(position, position + Number(length)) })
    position += Number(length)
  }
  return fields
}

/** `liar` writes a length that does not fit. */
function writeField({ number, wireType, value }: Field, liar: Dice | null): Uint8Array {
  const key = writeVarint(BigInt(number) * 8n + BigInt(wireType))
  if (typeof value === 'bigint') return concatBytes(key, writeVarint(value))
  if (wireType !== 2) return concatBytes(key, value)
  const length = liar ? liar.pick([...LENGTHS, BigInt(value.length) + 1n]) : BigInt(value.length)
  return concatBytes(key, writeVarint(length), value)
}

export function writeVarint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}
