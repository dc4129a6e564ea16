/** Signatures on their way to another thread: one array of bytes instead of many, since each costs a transfer of its own. */

/** One check: 64-byte signature, message, 32-byte public key. */
export interface SignatureCheck {
  signature: Uint8Array
  message: Uint8Array
  publicKey: Uint8Array
}

const SIGNATURE_BYTES = 64
const KEY_BYTES = 32
/** Before each message: signature, key, and the message's length as 32-bit big-endian. */
const HEAD_BYTES = SIGNATURE_BYTES + KEY_BYTES + 4

export function encodeBatch(checks: readonly SignatureCheck[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const { message } of checks) length += HEAD_BYTES + message.length
  const batch = new Uint8Array(length)
  const view = new DataView(batch.buffer)
  let offset = 0
  for (const { signature, message, publicKey } of checks) {
    batch.set(signature, offset)
    batch.set(publicKey, offset + SIGNATURE_BYTES)
    view.setUint32(offset + SIGNATURE_BYTES + KEY_BYTES, message.length)
    batch.set(message, offset + HEAD_BYTES)
    offset += HEAD_BYTES + message.length
  }
  return batch
}

/** One byte for each check of the batch, in its order: 1 for a good signature. */
export function verifyBatch(
  batch: Uint8Array,
  verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean,
): Uint8Array {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength)
  const results: number[] = []
  for (let offset = 0; offset < batch.length; ) {
    const keyAt = offset + SIGNATURE_BYTES
    const messageAt = offset + HEAD_BYTES
    const end = messageAt + view.getUint32(keyAt + KEY_BYTES)
    const message = batch.subarray(messageAt, end)
    const publicKey = batch.subarray(keyAt, keyAt + KEY_BYTES)
    results.push(verify(batch.subarray(offset, keyAt), message, publicKey) ? 1 : 0)
    offset = end
  }
  return Uint8Array.from(results)
}
