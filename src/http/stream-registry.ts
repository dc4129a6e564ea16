/** The live streams of this process: how many, their heartbeat, and their end at shutdown. */
import { HttpError } from './errors.ts'
import type { StreamSettings } from './settings.ts'

export interface OpenStream {
  /** Called about every `heartbeatMs`. Must not throw. */
  tick(): void
  /** Says goodbye and closes. Must not throw. */
  shutdown(): void
}

export interface StreamRegistry {
  /** No new streams; the gateway is going down. */
  readonly closing: boolean
  readonly size: number
  /** Counts a connection. The answer takes it out again. Errors: `streams-exhausted`, `shutting-down`. */
  add(stream: OpenStream): () => void
  /** Counts a wallet's subscription. Errors: `streams-exhausted`. */
  claim(wallet: string): () => void
  /** Ends every stream and refuses new ones. */
  shutdown(): void
}

/** Heartbeats are spread over this many moments, so that many streams do not hold the process up at once. */
const SLICES = 16

export function createStreamRegistry(settings: StreamSettings): StreamRegistry {
  const slices = Array.from({ length: SLICES }, () => new Set<OpenStream>())
  const perWallet = new Map<string, number>()
  let size = 0
  let added = 0
  let turn = 0
  let timer: NodeJS.Timeout | null = null
  let closing = false

  function beat(): void {
    turn = (turn + 1) % SLICES
    for (const stream of [...slices[turn]!]) stream.tick()
  }

  return {
    get closing() {
      return closing
    },
    get size() {
      return size
    },
    add(stream) {
      if (closing) throw new HttpError('shutting-down', 'No new streams are opened', { retryAfterSeconds: 1 })
      if (size >= settings.total) {
        throw new HttpError('streams-exhausted', 'This gateway carries no more live streams', {
          retryAfterSeconds: 30,
        })
      }
      const slice = slices[added++ % SLICES]!
      slice.add(stream)
      size++
      timer ??= setInterval(beat, Math.max(1, settings.heartbeatMs / SLICES)).unref()
      return () => {
        if (!slice.delete(stream)) return
        size--
        if (size === 0 && timer) {
          clearInterval(timer)
          timer = null
        }
      }
    },
    claim(wallet) {
      const open = perWallet.get(wallet) ?? 0
      if (open >= settings.perWallet) {
        throw new HttpError('streams-exhausted', `A wallet may have ${settings.perWallet} live streams`)
      }
      perWallet.set(wallet, open + 1)
      let held = true
      return () => {
        if (!held) return
        held = false
        const left = (perWallet.get(wallet) ?? 1) - 1
        if (left > 0) perWallet.set(wallet, left)
        else perWallet.delete(wallet)
      }
    },
    shutdown() {
      closing = true
      for (const slice of slices) for (const stream of [...slice]) stream.shutdown()
    },
  }
}
