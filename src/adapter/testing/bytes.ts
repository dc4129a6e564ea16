import { randomBytes } from 'node:crypto'

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}

/** Random bytes: two frames of 16 bytes or more are never equal. */
export function randomFrame(length = 200): Uint8Array {
  return Uint8Array.from(randomBytes(length))
}

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString('hex')
}
