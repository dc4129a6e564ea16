/** Time, randomness and native code of the machine. Everything else takes them as arguments, so that tests can set them. */
import { hash, randomBytes } from 'node:crypto'
import type { Random } from './adapter/index.ts'
import type { Sha256 } from './envelope/index.ts'

export { systemClock } from './adapter/clock.ts'

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
}

/** SHA-256 of OpenSSL. As text, since a buffer would be memory outside the heap, which costs as much again as the hash. */
export const systemSha256: Sha256 = (bytes) => {
  const text = hash('sha256', bytes, 'binary')
  const digest = new Uint8Array(text.length)
  for (let index = 0; index < text.length; index++) digest[index] = text.charCodeAt(index)
  return digest
}
