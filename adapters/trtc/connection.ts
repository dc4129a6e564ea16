/** Whether the service can be reached: probes it, backs off while it is down, and reports each change once. */
import {
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type StateReport,
} from '../../src/adapter/index.ts'
import { operatorAction } from './errors.ts'

/** Backoff between two probes while the service is down, in milliseconds. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000

export interface Connection {
  /** Resolves after the first probe, whatever came of it; probing goes on until `stop`. */
  start(signal: AbortSignal): Promise<void>
  /** Resolves when no probe and no timer is left. */
  stop(): Promise<void>
  state(): AdapterState
  /** Ends when `stop` is called; calls that outlive their caller hang on this. */
  lifetime(): AbortSignal
  /** Learns from the outcome of any call: null for a success. */
  observe(error: AdapterError | null): void
}

/** `probe` makes one cheap call, whose outcome reaches `observe` as every call's does. */
export function createConnection(
  context: AdapterContext,
  probe: (signal: AbortSignal) => Promise<unknown>,
  probeIntervalMs: number,
): Connection {
  let life = stoppedController()
  let loop: Promise<void> = Promise.resolve()
  let wake = new AbortController()
  let last: StateReport = { state: 'stopped' }
  let failures = 0

  function report(next: StateReport): void {
    if (next.state === last.state && next.reason === last.reason) return
    last = next
    context.state(next)
  }

  function observe(error: AdapterError | null): void {
    if (life.signal.aborted) return
    if (!error) {
      failures = 0
      report({ state: 'connected' })
      return
    }
    const reason = reportOf(error)
    if (!reason) return
    const wasConnected = last.state === 'connected'
    report(reason)
    if (wasConnected) wake.abort() // probe soon, not only after the long pause
  }

  /** The probe's own outcome comes by `observe`; here only what it leaves open is decided. */
  async function attempt(signal: AbortSignal): Promise<void> {
    try {
      await probe(signal)
    } catch (error) {
      if (signal.aborted) return
      failures++
      const code = AdapterError.is(error) ? error.remoteCode : 'unexpected'
      if (last.state === 'connecting') {
        // Answered, but not as it should be: `observe` saw neither a broken way nor wrong credentials.
        const reason = error instanceof Error ? error.message : 'The probe failed'
        const action = operatorAction(AdapterError.is(error) ? error.remoteCode : undefined)
        report({ state: 'transientDisconnect', reason, ...(action ? { userAction: action } : {}) })
      }
      context.log.warn({ code, failures }, 'TRTC does not answer the probe as it should')
    }
  }

  function pauseMs(): number {
    if (last.state === 'connected') return probeIntervalMs
    const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10))
    return longest * (0.5 + context.random.fraction() / 2)
  }

  async function probeOn(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      wake = new AbortController()
      await context.clock.sleep(pauseMs(), AbortSignal.any([signal, wake.signal])).catch(() => {
        // woken early: by `stop`, which the loop condition sees, or to probe at once
      })
      if (!signal.aborted) await attempt(signal)
    }
  }

  return {
    async start(signal) {
      if (!life.signal.aborted) return
      const own = new AbortController()
      life = own
      failures = 0
      report({ state: 'connecting' })
      await attempt(AbortSignal.any([signal, own.signal]))
      if (!own.signal.aborted) loop = probeOn(own.signal)
    },
    async stop() {
      if (life.signal.aborted) return
      life.abort(new AdapterError('retryable', 'The TRTC adapter was stopped', { remoteCode: 'aborted' }))
      await loop
      report({ state: 'stopped' })
    },
    state: () => last.state,
    lifetime: () => life.signal,
    observe,
  }
}

function stoppedController(): AbortController {
  const controller = new AbortController()
  controller.abort()
  return controller
}

/** What an error says of the connection; null when it only concerns the one call. */
function reportOf(error: AdapterError): StateReport | null {
  if (error.class === 'auth') {
    const action = operatorAction(error.remoteCode) ?? 'Check the credentials of the TRTC app.'
    return { state: 'badCredentials', reason: error.message, userAction: action }
  }
  return isTransportFailure(error) ? { state: 'transientDisconnect', reason: error.message } : null
}

/**
 * System and HTTP codes say that the way is broken, but for those about the message (413) and the pace (429); the service's
 * own codes, all above 600, say that it answered.
 */
function isTransportFailure(error: AdapterError): boolean {
  const code = error.remoteCode
  if (typeof code === 'number') return code >= 400 && code < 600 && code !== 413 && code !== 429
  return code !== undefined && code !== 'aborted' && code !== 'AbortError'
}
