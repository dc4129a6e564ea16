/** Reading what the local database has, after it was brought up to date: what the stream missed stands there. */
import { AdapterError, type HistoryFacet, type Inbound, type SendIntent } from '../../src/adapter/index.ts'
import { toInbound, toOutgoing } from './carriage.ts'
import { toAdapterError, XmtpError } from './errors.ts'
import type { Conversation } from './inbox.ts'
import type { Session } from './session.ts'

/** `session` throws while no inbox is open; `lifetime` ends with the adapter. */
export function createHistory(parts: { session(): Session; lifetime(): AbortSignal }): HistoryFacet {
  /** `since` is a time of storing, by this machine's clock: what came late is found however old it is. */
  async function* walk(since: number, signal: AbortSignal): AsyncGenerator<Inbound> {
    if (signal.aborted) throw aborted(signal)
    const { inbox } = parts.session()
    await inbox.syncAll(signal)
    for await (const { conversation, message } of inbox.messagesSince(since, signal, { custom: true })) {
      const inbound = toInbound(message, 'history', { own: inbox.inboxId, peer: peerOf(conversation) })
      if (inbound) yield inbound
    }
  }

  async function* translated(since: number, signal: AbortSignal): AsyncGenerator<Inbound> {
    try {
      yield* walk(since, AbortSignal.any([signal, parts.lifetime()]))
    } catch (error) {
      throw toAdapterError(error)
    }
  }

  async function find(intent: SendIntent, signal: AbortSignal) {
    try {
      if (signal.aborted) throw aborted(signal)
      const { sender } = parts.session()
      const id = await sender.find(toOutgoing(intent), AbortSignal.any([signal, parts.lifetime()]))
      return id === null ? null : { remoteIds: [id] }
    } catch (error) {
      const failure = toAdapterError(error)
      // An unknown outcome is looked up again, whatever kept it unknown.
      if (failure.class !== 'uncertain') throw failure
      throw new AdapterError('retryable', failure.message, { cause: failure })
    }
  }

  return { walk: ({ since }, signal) => translated(since, signal), find }
}

function peerOf(conversation: Conversation): string | null {
  return 'peerInboxId' in conversation ? conversation.peerInboxId : null
}

function aborted(signal: AbortSignal): XmtpError {
  return new XmtpError('aborted', 'Given up before XMTP was asked', { cause: signal.reason })
}
