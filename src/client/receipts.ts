/** What this client says of messages that reached it. Collected and posted in the background: no message waits for it. */
import type { Api } from './api.ts'
import { ClientError, isTransient } from './errors.ts'
import { pauseBefore } from './pause.ts'

export interface Receipt {
  /** Envelope id, hex. */
  id: string
  /** `http` or the network over which it came. */
  network: string
  kind: 'delivered' | 'read'
  /** Unix milliseconds. */
  at: number
}

export interface Receipts {
  /** Takes a receipt; it is posted within a quarter of a second, or later when the gateway is away. */
  add(receipt: Receipt): void
  /** Posts everything that waits. What could not be posted is tried again later. */
  flush(): Promise<void>
}

/** Receipts in one request, at most: the limit of the API. */
const BATCH = 256
/** Receipts that wait while the gateway is away; beyond it the oldest go. They are for journeys, not for delivery. */
const CAPACITY = 4_096
const GATHER_MS = 250
const TIMEOUT_MS = 5_000

export function createReceipts(api: Pick<Api, 'post'>): Receipts {
  let waiting: Receipt[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  let posting: Promise<void> | null = null
  let failures = 0

  function schedule(ms: number, keepsProcess: boolean): void {
    clearTimeout(timer)
    timer = setTimeout(flush, ms)
    // In Node a gateway that stays away must not keep the process alive. Browsers' timers are numbers.
    if (!keepsProcess) (timer as { unref?: () => void }).unref?.()
  }

  async function post(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH)
      waiting = waiting.slice(BATCH)
      try {
        await api.post('/v1/receipts', { receipts: batch }, { timeoutMs: TIMEOUT_MS })
        failures = 0
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        // Refused for good (e.g. the session has ended): the gateway will not want them later either.
        if (!isTransient(error)) continue
        waiting = [...batch, ...waiting].slice(-CAPACITY)
        schedule(pauseBefore(failures++, error.retryAfterMs), false)
        return
      }
    }
  }

  function flush(): Promise<void> {
    posting ??= post().finally(() => {
      posting = null
      if (waiting.length > 0 && timer === undefined) schedule(GATHER_MS, true)
    })
    return posting
  }

  return {
    add(receipt) {
      waiting.push(receipt)
      if (waiting.length > CAPACITY) waiting = waiting.slice(-CAPACITY)
      // While one request is under way its loop takes what comes; after a failure the pause is kept.
      if (timer === undefined && posting === null) schedule(GATHER_MS, true)
    },
    flush,
  }
}
