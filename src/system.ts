/** Time and randomness of the machine. Everything else takes them as arguments, so that tests can set them. */
import { randomBytes } from 'node:crypto'
import type { Random } from './adapter/index.ts'

export { systemClock } from './adapter/clock.ts'

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
}
