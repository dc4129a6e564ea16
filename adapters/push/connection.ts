/** The way to the service: opens the account, holds the socket, and tries again for ever. */
import type { Socket } from 'socket.io-client'
import type { AdapterContext, AdapterState, StateReport } from '../../src/adapter/index.ts'
import type { Account } from './account.ts'
import type { PushConfig } from './config.ts'
import { baseUrlOf } from './config.ts'
import { PushError } from './errors.ts'
import { connectChatSocket } from './socket.ts'

const FIRST_PAUSE_MS = 250

const advice: Partial<Record<PushError['code'], string>> = {
  'profile-locked':
    'Set walletKey to the key with which the profile was made, or use a wallet that has no Push profile yet.',
  'profile-missing':
    'Look the wallet up in a Push application. If the profile is really gone, give the gateway a new wallet.',
  'wallet-without-keys': 'Set createProfile, or make a Push profile for the wallet.',
  'key-unverified':
    'The service gives keys for the gateway’s wallet that it did not sign: report it to Push.',
  'key-reverted': 'The service gives old keys for the gateway’s wallet: report it to Push.',
}

export interface Connection {
  /** Resolves after the first attempt, whatever came of it. */
  start(signal: AbortSignal): Promise<void>
  /** Resolves when socket and timers are gone. */
  stop(): Promise<void>
  state(): AdapterState
  /** Ends with `stop`; calls that outlive their caller hang on this. */
  lifetime(): AbortSignal
  /** Learns from the outcome of any call. */
  observe(error: PushError | null): void
}

export interface ConnectionOptions {
  config: PushConfig
  context: AdapterContext
  account: Account
  /** Asks the service something cheap. */
  probe(signal: AbortSignal): Promise<unknown>
  onChat(event: unknown): void
}

export function createConnection(options: ConnectionOptions): Connection {
  const { config, context, account } = options
  let life = new AbortController()
  life.abort()
  let loop: Promise<void> = Promise.resolve()
  let last: StateReport = { state: 'stopped' }
  /** Aborted to look at the connection before the pause is over. */
  let wake = new AbortController()
  let failures = 0

  function report(next: StateReport): void {
    if (next.state === last.state && next.reason === last.reason) return
    last = next
    context.state(next)
  }

  /** Opens the account and a socket, and gives the socket when it is connected. */
  async function connect(signal: AbortSignal): Promise<Socket> {
    await account.unlock(signal)
    await options.probe(signal)
    const { requestTimeoutMs: timeoutMs } = config
    const { did } = account
    const { onChat } = options
    const { clock } = context
    return connectChatSocket({ baseUrl: baseUrlOf(config), did, timeoutMs, clock, onChat }, signal)
  }

  /** Resolves with the reason when the connection is lost. */
  async function watch(socket: Socket, signal: AbortSignal): Promise<string | null> {
    const lost = new AbortController()
    socket.once('disconnect', () => lost.abort())
    if (!socket.connected) lost.abort()
    while (!signal.aborted) {
      wake = new AbortController()
      await pause(
        config.probeIntervalMs,
        AbortSignal.any([signal, lost.signal, wake.signal, account.ended()]),
      )
      if (signal.aborted) break
      if (lost.signal.aborted) return 'The socket of the Push service was closed'
      if (!account.isUnlocked()) return 'The thread of the Push SDK ended'
      try {
        await options.probe(AbortSignal.any([signal, lost.signal]))
      } catch (error) {
        if (signal.aborted) break
        return error instanceof PushError && !lost.signal.aborted
          ? error.message
          : 'The socket of the Push service was closed'
      }
    }
    return null
  }

  function reportFailure(error: unknown): void {
    failures++
    const known = error instanceof PushError ? error : new PushError('sdk-failed', 'The Push SDK failed')
    context.log.warn({ code: known.code, failures }, 'Push is not connected')
    const action = advice[known.code]
    report({
      state: action ? 'badCredentials' : 'transientDisconnect',
      reason: known.message,
      ...(action ? { userAction: action } : {}),
    })
  }

  /** Full pauses spread by a half, so that gateways do not come back all at once. */
  function nextPauseMs(): number {
    const longest = Math.min(config.reconnectMaxMs, FIRST_PAUSE_MS * 2 ** Math.min(failures, 12))
    return longest * (0.5 + context.random.fraction() / 2)
  }

  async function attempt(signal: AbortSignal): Promise<Socket | null> {
    try {
      return await connect(signal)
    } catch (error) {
      if (!life.signal.aborted) reportFailure(error)
      return null
    }
  }

  async function hold(first: Socket | null, signal: AbortSignal): Promise<void> {
    let socket = first
    while (!signal.aborted) {
      if (socket) {
        failures = 0
        report({ state: 'connected' })
        const reason = await watch(socket, signal)
        socket.disconnect()
        if (reason !== null) report({ state: 'transientDisconnect', reason })
      }
      await pause(nextPauseMs(), signal)
      socket = signal.aborted ? null : await attempt(signal)
    }
    socket?.disconnect()
  }

  async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
    await context.clock.sleep(milliseconds, signal).catch(() => {
      // woken early; the caller looks why
    })
  }

  return {
    async start(signal) {
      if (!life.signal.aborted) return
      const own = new AbortController()
      life = own
      failures = 0
      report({ state: 'connecting' })
      const socket = await attempt(AbortSignal.any([signal, own.signal]))
      if (own.signal.aborted) socket?.disconnect()
      else loop = hold(socket, own.signal)
    },
    async stop() {
      if (life.signal.aborted) return
      life.abort(new PushError('aborted', 'The Push adapter was stopped'))
      await loop
      report({ state: 'stopped' })
    },
    state: () => last.state,
    lifetime: () => life.signal,
    observe(error) {
      if (error && last.state === 'connected') wake.abort()
    },
  }
}
