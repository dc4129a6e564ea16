/** Confirmation that a published message reached an archive. */
import type { AdapterLog, Clock } from '../../src/adapter/index.ts'
import { WakuError } from './errors.ts'

export interface ConfirmOptions {
  clock: Clock
  log: AdapterLog
  /** The failure of the publish, when its answer was lost; null when the service node said that it took the message. */
  lost: WakuError | null
  lookup(): Promise<boolean>
  signal: AbortSignal
}

/** A message reaches the archive shortly after the answer: waits between looks, in milliseconds. */
const WAITS_MS = [0, 50, 150, 400, 1_000, 2_000]

/**
 * Resolves when the archive holds the message, or when the service node took it and no archive can be asked. Rejects with
 * `answer-lost` otherwise: the relay then finds out before it sends again.
 */
export async function confirmStored({ clock, log, lost, lookup, signal }: ConfirmOptions): Promise<void> {
  for (const wait of WAITS_MS) {
    if (signal.aborted) break
    try {
      if (wait > 0) await clock.sleep(wait, signal)
      if (await lookup()) return
    } catch (error) {
      if (signal.aborted) break
      if (lost) throw lost
      log.debug({ error: String(error) }, 'the Store cannot be asked; the answer of the service node counts')
      return
    }
  }
  if (lost) throw lost
  throw new WakuError('answer-lost', 'A service node took the message but the Store does not show it')
}
