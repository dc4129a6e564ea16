/** What is sent, and how it is known again when it arrives. */
import { randomBytes } from 'node:crypto'
import {
  decodeFrame,
  decodeSealed,
  EnvelopeError,
  encodeFrame,
  frameForEnvelope,
  toHex,
} from '../../envelope/index.ts'
import { createPerson, makeEnvelope, type Person } from '../people.ts'
import type { Cell } from './plan.ts'

export interface Payload {
  frame: Uint8Array
  /** {@link keyOf} the frame. */
  key: string
}

/** Begins what goes from client to client. No frame begins so: the gateway lets it pass. */
const MARK = new TextEncoder().encode('causeway-probe')
const ID_BYTES = 16

/**
 * Through the gateway: a signed envelope, with random bytes where others have ciphertext. Natively: random bytes, as many as
 * the envelope would have.
 */
export function makePayload(cell: Pick<Cell, 'path' | 'size'>, sender: Person, recipient: string): Payload {
  const sealed = makeEnvelope(sender, recipient, cell.size)
  const frame = encodeFrame(frameForEnvelope(sealed, null))
  if (cell.path === 'gateway') return { frame, key: toHex(decodeSealed(sealed).id) }
  const bytes = new Uint8Array(randomBytes(frame.length))
  bytes.set(MARK)
  return { frame: bytes, key: toHex(bytes.subarray(MARK.length, MARK.length + ID_BYTES)) }
}

/** Null for what is no probe. */
export function keyOf(frame: Uint8Array): string | null {
  if (MARK.every((byte, place) => frame[place] === byte))
    return toHex(frame.subarray(MARK.length, MARK.length + ID_BYTES))
  try {
    return toHex(decodeFrame(frame).id)
  } catch (error) {
    if (error instanceof EnvelopeError) return null
    throw error
  }
}

/** Length in bytes of a probe's frame with content padded to `size`. */
export function frameBytes(size: number): number {
  sample ??= [createPerson(), createPerson()]
  const [sender, recipient] = sample
  return encodeFrame(frameForEnvelope(makeEnvelope(sender, recipient.wallet, size), null)).length
}

let sample: [Person, Person] | null = null
