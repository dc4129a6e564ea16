/** The socket of one enrolled account. It asks for no credentials, hears what is told to the account, and is tried again for ever. */
import type { Socket } from 'socket.io-client'
import type { Clock, Random, StateReport } from '../../../src/adapter/index.ts'
import { PushError } from '../errors.ts'
import { connectChatSocket } from '../socket.ts'

const FIRST_PAUSE_MS = 500

export interface LineOptions {
  /** REST address of the service. */
  baseUrl: string
  did: string
  timeoutMs: number
  longestPauseMs: number
  clock: Clock
  random: Random
  /** Called before each connection. What it rejects with is reported. */
  prepare(signal: AbortSignal): Promise<void>
  /** Aborts when the line is of no use any more, though it stands. */
  spent(): AbortSignal
  onChat(event: unknown): void
  /** A change of a group, or an invitation to one. */
  onGroup(event: unknown): void
  report(report: StateReport): void
}

/** Holds the line until the signal aborts, or `prepare` fails with `key-replaced`. Never rejects. */
export async function holdLine(options: LineOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, longestPauseMs } = options
  let failures = 0
  options.report({ state: 'connecting' })
  while (!signal.aborted) {
    try {
      await options.prepare(signal)
      const { baseUrl, did, timeoutMs, onChat } = options
      const socket = await connectChatSocket({ baseUrl, did, timeoutMs, clock, onChat }, signal)
      socket.on('CHAT_GROUPS', (event: unknown) => options.onGroup(event))
      failures = 0
      options.report({ state: 'connected' })
      await ended(socket, AbortSignal.any([signal, options.spent()]))
      socket.disconnect()
      if (signal.aborted) return
      options.report({ state: 'transientDisconnect', reason: 'The socket of the Push service was closed' })
    } catch (error) {
      if (signal.aborted) return
      options.report(reportOf(error))
      if (error instanceof PushError && error.code === 'key-replaced') return
    }
    failures++
    const longest = Math.min(longestPauseMs, FIRST_PAUSE_MS * 2 ** Math.min(failures, 12))
    await clock.sleep(longest * (0.5 + random.fraction() / 2), signal).catch(() => {
      // woken by the end
    })
  }
}

/** What a failure of the account means for its enrolment. */
export function reportOf(error: unknown): StateReport {
  if (!(error instanceof PushError)) return { state: 'transientDisconnect', reason: 'The Push SDK failed' }
  if (error.code === 'key-replaced') {
    return {
      state: 'loggedOut',
      reason: 'The wallet has made new keys for its Push account',
      userAction: 'End this enrolment and enrol again with the new key.',
    }
  }
  return { state: 'transientDisconnect', reason: error.message }
}

function ended(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    socket.once('disconnect', () => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (!socket.connected || signal.aborted) resolve()
  })
}
