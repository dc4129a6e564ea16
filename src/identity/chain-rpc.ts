/** JSON-RPC to the node of one EVM chain, with bounds on everything that the node decides. Runs in browsers. */
import { readLimitedText } from '../adapter/limited-text.ts'

export type ChainErrorCode =
  /** No answer in time, or none that can be read. Worth trying again. */
  | 'chain-unreachable'
  /** Too many calls wait already. Worth trying again. */
  | 'chain-busy'
  /** The node answered with an error, e.g. because it does not keep the state of that block. */
  | 'chain-call-refused'
  /** The node is that of another chain. */
  | 'chain-mismatch'

/** Why a chain could not be asked. The message never holds the URL, which may carry a key. */
export class ChainError extends Error {
  override readonly name = 'ChainError'
  readonly code: ChainErrorCode

  constructor(code: ChainErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface ChainSettings {
  /** JSON-RPC over HTTP, of a node that the configuration's owner trusts. */
  rpcUrl: string
  /** How long one call may take, milliseconds. Default 5,000. */
  timeoutMs?: number
  /** Calls under way at once; eight times as many may wait. Default 8. */
  maxInFlight?: number
}

export interface ChainRpc {
  /** The result of a call. Rejects with `ChainError`, or with the signal's reason. */
  call(method: string, parameters: readonly unknown[], signal?: AbortSignal): Promise<unknown>
}

const MAX_ANSWER_BYTES = 65_536
const WAITING_PER_SLOT = 8

/** Redirects are not followed: the node that was configured answers, or nobody. */
export function createChainRpc(settings: ChainSettings, fetch = globalThis.fetch): ChainRpc {
  const { rpcUrl, timeoutMs = 5_000, maxInFlight = 8 } = settings
  const slots = createSlots(maxInFlight)
  let lastId = 0

  async function post(body: string, signal: AbortSignal): Promise<string> {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body,
      redirect: 'error',
      signal,
    })
    const text = await readLimitedText(response, MAX_ANSWER_BYTES)
    // Some nodes send JSON-RPC errors with a status of 4xx: what can be read is read.
    if (response.status === 429 || response.status >= 500 || text === '') {
      throw new ChainError('chain-unreachable', `The node answered with the status ${response.status}`)
    }
    return text
  }

  return {
    async call(method, parameters, signal) {
      const release = await slots.acquire(signal)
      try {
        const id = ++lastId
        const deadline = AbortSignal.timeout(timeoutMs)
        const text = await post(
          JSON.stringify({ jsonrpc: '2.0', id, method, params: parameters }),
          signal ? AbortSignal.any([signal, deadline]) : deadline,
        )
        return readAnswer(text, id)
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof ChainError) throw error
        // What fetch throws may name the URL, so it is not passed on.
        throw new ChainError(
          'chain-unreachable',
          `The node did not answer ${method} in time, or not readably`,
        )
      } finally {
        release()
      }
    },
  }
}

function readAnswer(text: string, id: number): unknown {
  const answer = JSON.parse(text) as { id?: unknown; result?: unknown; error?: { code?: unknown } | null }
  if (answer.id !== id || (answer.error == null && answer.result === undefined)) {
    throw new ChainError('chain-unreachable', 'The node answered something else than JSON-RPC')
  }
  if (answer.error == null) return answer.result
  const code = Number.isSafeInteger(answer.error.code) ? ` ${String(answer.error.code)}` : ''
  throw new ChainError('chain-call-refused', `The node refused the call with error${code}`)
}

/** At most `size` at once; the others wait in turn, up to a bound. */
function createSlots(size: number) {
  const waiting = new Set<() => void>()
  let taken = 0

  function release(): void {
    const [next] = waiting
    if (next === undefined) {
      taken -= 1
      return
    }
    waiting.delete(next)
    next()
  }

  async function acquire(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    if (taken < size) {
      taken += 1
      return release
    }
    if (waiting.size >= size * WAITING_PER_SLOT) {
      throw new ChainError('chain-busy', 'Too many signatures of this chain wait to be checked')
    }
    await new Promise<void>((resolve, reject) => {
      const abort = () => {
        waiting.delete(enter)
        reject(signal?.reason as Error)
      }
      const enter = () => {
        signal?.removeEventListener('abort', abort)
        resolve()
      }
      waiting.add(enter)
      signal?.addEventListener('abort', abort, { once: true })
    })
    return release
  }

  return { acquire }
}
