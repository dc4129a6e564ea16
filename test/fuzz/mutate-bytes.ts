/** Mutations that know nothing of the format. */
import { concatBytes } from '../../src/envelope/index.ts'
import type { Dice } from './dice.ts'

/** Bytes at which decoders err: zero, signs, UTF-8 that is cut, overlong or a surrogate, CBOR and varint extremes. */
const TOKENS: readonly Uint8Array[] = [
  [0x00],
  [0x7f],
  [0x80],
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xef, 0xbb, 0xbf],
  [0x5f],
  [0x9f],
  [0xbf],
  [0xf7],
  [0xf9, 0x7e, 0x00],
  [0xfb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
  [0xc2, 0x41, 0x01],
  [0xff, 0xff, 0xff, 0xff],
  [0x7f, 0xff, 0xff, 0xff],
  [0x80, 0x00, 0x00, 0x00],
  [0x00, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [...new TextEncoder().encode('__proto__')],
  [...new TextEncoder().encode('"constructor":')],
].map((token) => Uint8Array.from(token))

/** The order of the Ed25519 base point, little-endian: `s + L` is another spelling of the scalar `s`. */
const ED25519_ORDER = (1n << 252n) + 27742317777372353535851937790883648493n
const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** One to three random edits. Always a new array, at most 300 KiB long. */
export function mutateBytes(bytes: Uint8Array, dice: Dice, other: Uint8Array = bytes): Uint8Array {
  let result = bytes
  for (let edits = dice.chance(0.7) ? 1 : 1 + dice.upTo(2); edits > 0; edits--)
    result = edit(result, dice, other)
  return result.length > 300 * 1024 ? result.slice(0, 300 * 1024) : result
}

function edit(bytes: Uint8Array, dice: Dice, other: Uint8Array): Uint8Array {
  const at = dice.upTo(bytes.length)
  const span = Math.min(bytes.length - at, 1 + dice.upTo(dice.chance(0.8) ? 8 : 256))
  switch (dice.upTo(11)) {
    case 0:
    case 1:
      return replaced(bytes, at, Uint8Array.of((bytes[at] ?? 0) ^ (1 << dice.upTo(7))))
    case 2:
      return replaced(bytes, at, Uint8Array.of(dice.upTo(255)))
    case 3:
      return replaced(bytes, at, dice.pick(TOKENS))
    case 4:
      return inserted(bytes, at, dice.pick(TOKENS))
    case 5:
      return inserted(bytes, at, dice.bytes(1 + dice.upTo(16)))
    case 6:
      return concatBytes(bytes.subarray(0, at), bytes.subarray(at + span))
    case 7:
      return inserted(bytes, at, bytes.subarray(at, at + span))
    case 8:
      return bytes.slice(0, at)
    case 9: {
      const from = dice.upTo(other.length)
      return concatBytes(bytes.subarray(0, at), other.subarray(from))
    }
    case 10:
      return bytes.length >= 64 && dice.chance(0.5)
        ? respelled(bytes)
        : replaced(bytes, at, new Uint8Array(span))
    default:
      return dice.chance(0.02)
        ? inserted(bytes, at, new Uint8Array(dice.pick([4096, 65_536, 270_000])).fill(dice.upTo(255)))
        : replaced(bytes, at, Uint8Array.of((bytes[at] ?? 0) + dice.pick([-1, 1])))
  }
}

/** A signature under its other spelling: `s + L` for Ed25519 in 64 bytes, `n - s` with the other v for ECDSA in 65. */
function respelled(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  const start = copy.length === 65 ? 32 : copy.length - 32
  const scalar = copy.subarray(start, start + 32)
  if (copy.length === 65) {
    const s = BigInt(`0x${Buffer.from(scalar).toString('hex')}`)
    if (s > 0n && s < SECP256K1_ORDER) scalar.set(bigEndian(SECP256K1_ORDER - s))
    copy[64] = copy[64]! ^ (copy[64]! >= 27 ? 27 ^ 28 : 1)
    return copy
  }
  const s = BigInt(`0x${Buffer.from(scalar.toReversed()).toString('hex')}`) + ED25519_ORDER
  if (s < 1n << 256n) scalar.set(bigEndian(s).toReversed())
  return copy
}

function bigEndian(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))
}

function replaced(bytes: Uint8Array, at: number, by: Uint8Array): Uint8Array {
  return concatBytes(bytes.subarray(0, at), by, bytes.subarray(at + by.length))
}

function inserted(bytes: Uint8Array, at: number, more: Uint8Array): Uint8Array {
  return concatBytes(bytes.subarray(0, at), more, bytes.subarray(at))
}
