/**
 * One enrolled wallet: an installation of its inbox that the gateway keeps open, hears, and writes from. Opened and closed
 * any number of times on the same database.
 */
import type {
  AdapterContext,
  AdapterState,
  NativeConversation,
  NativeInbound,
  NativeIntent,
} from '../../../src/adapter/index.ts'
import { isEnvelope } from '../codec.ts'
import { operatorAction, toXmtpError, XmtpError } from '../errors.ts'
import type { Conversation, XmtpInbox, XmtpMessage } from '../inbox.ts'
import { Intake } from '../intake.ts'
import type { Sdk } from '../sdk.ts'
import { SendFailure } from '../sender.ts'
import { requireAuthorized } from '../session.ts'
import { readContent } from './content.ts'
import { NativeSender } from './native-sender.ts'
import type { People } from './people.ts'

/** Messages of one wallet that wait to become durable. What does not fit is read from the database by the next walk. */
const WAITING = 500

/** Pauses between two tries to hear again, in milliseconds. */
const RETRY_MIN_MS = 500
const RETRY_MAX_MS = 30_000

/** For the wallet's owner, where the wallet took the gateway off its inbox. */
const REMOVED_ACTION = 'If that was not meant, end this enrolment and enrol again.'

export interface MemberOptions {
  sdk: Sdk
  /** Belongs to the member from then on, which closes it. */
  inbox: XmtpInbox
  /** Gives the inbox's connection back. */
  release: () => void
  context: AdapterContext
  people: People
  /** Id of the enrolment. */
  id: string
}

export class Member {
  readonly #options: MemberOptions
  readonly #sender: NativeSender
  readonly #intake: Intake<XmtpMessage>
  readonly #lifetime = new AbortController()
  readonly #running: Promise<void>
  #state: AdapterState | null = null

  constructor(options: MemberOptions) {
    const { sdk, inbox, context, id } = options
    this.#options = options
    this.#sender = new NativeSender(sdk, inbox, context.storage, id)
    this.#intake = new Intake({
      capacity: WAITING,
      clock: context.clock,
      log: context.log,
      deliver: async (message) => this.#deliver(message),
      // The walk that follows `connected` reads what was left out.
      overflow: (full) => this.#report(full ? 'backfilling' : 'connected'),
    })
    this.#running = this.#run()
  }

  get inboxId(): string {
    return this.#options.inbox.inboxId
  }

  get installationId(): string {
    return this.#options.inbox.installationId
  }

  /** Rejects with `SendFailure`, and with `installation-revoked` where that is why a conversation takes nothing any more. */
  async send(intent: NativeIntent, signal: AbortSignal): Promise<string[]> {
    try {
      return await this.#sender.send(intent, signal)
    } catch (error) {
      // Conversations become inactive one by one when the wallet took this installation off, through no fault of the peers.
      if (error instanceof SendFailure && error.cause.code === 'conversation-inactive') {
        await this.#requireAuthorized(signal).catch((failure: unknown) => {
          if (isRevocation(failure)) throw failure
        })
      }
      throw error
    }
  }

  find(intent: NativeIntent, signal: AbortSignal): Promise<string[] | null> {
    return this.#sender.find(intent, signal)
  }

  /**
   * Everything of this installation since a time, fetched from the network first. Oldest first within a conversation. Asks
   * whether the wallet has taken this installation off, which an open stream does not tell.
   */
  async *walk(since: number, signal: AbortSignal): AsyncGenerator<NativeInbound> {
    const { inbox } = this.#options
    await this.#requireAuthorized(signal)
    await inbox.syncAll(signal)
    for await (const { message } of inbox.messagesSince(since, signal)) {
      const native = await this.#read(message, 'history')
      if (native) yield native
    }
  }

  /** Frees memory, threads and files. The database stays. */
  async close(): Promise<void> {
    this.#lifetime.abort(new XmtpError('closed', 'The enrolment was closed'))
    await this.#running
    await this.#intake.stop()
    await this.#options.inbox.close()
    this.#options.release()
    this.#report('stopped')
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { signal } = this.#lifetime
    let wait = RETRY_MIN_MS
    while (!signal.aborted) {
      this.#report('connecting')
      try {
        await this.#requireAuthorized(signal)
        await this.#options.inbox.listen(
          {
            opened: () => {
              wait = RETRY_MIN_MS
              this.#report('connected')
            },
            message: (message) => this.#intake.offer(message.conversationId, message),
          },
          signal,
        )
        if (!signal.aborted) this.#report('transientDisconnect', 'The stream of XMTP ended')
      } catch (error) {
        if (signal.aborted) return
        const failure = toXmtpError(error)
        this.#report('transientDisconnect', failure.message, operatorAction(failure.code))
      }
      await this.#options.context.clock.sleep(wait, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error
      })
      wait = Math.min(wait * 2, RETRY_MAX_MS)
    }
  }

  /** Ends the member where the network counts this installation no more: nothing brings that back. */
  async #requireAuthorized(signal: AbortSignal): Promise<void> {
    try {
      await requireAuthorized(this.#options.inbox, signal)
    } catch (error) {
      if (isRevocation(error)) {
        this.#report('loggedOut', error.message, REMOVED_ACTION)
        this.#lifetime.abort(error)
      }
      throw error
    }
  }

  async #deliver(message: XmtpMessage): Promise<void> {
    const { context } = this.#options
    if (isEnvelope(message.contentType)) {
      await this.#deliverFrame(message)
      return
    }
    const native = await this.#read(message, 'stream')
    if (native) await context.deliverNative(native)
  }

  /** An envelope that somebody sent to the wallet itself: the gateway takes it as from any other network. */
  async #deliverFrame({ content, id, senderInboxId, sentAt }: XmtpMessage): Promise<void> {
    const frame = (content as { frame?: unknown } | undefined)?.frame
    if (!(frame instanceof Uint8Array) || senderInboxId === this.inboxId) return
    await this.#options.context.deliver({
      frame,
      remoteId: id,
      to: this.inboxId,
      from: senderInboxId,
      via: 'stream',
      remoteTime: sentAt.getTime(),
      transactionId: null,
    })
  }

  /** Null for what is no message of a person. */
  async #read(message: XmtpMessage, via: NativeInbound['via']): Promise<NativeInbound | null> {
    const { sdk, inbox, people, id } = this.#options
    if (isEnvelope(message.contentType)) return null
    const conversation = await inbox.client.conversations.getConversationById(message.conversationId)
    if (!conversation) return null
    const described = await this.#describe(conversation)
    const { content, reference } = readContent(sdk, message)
    // A direct conversation begins with such a notice, which says nothing that the conversation does not say.
    if (described.kind === 'direct' && message.contentType.typeId === 'group_updated') return null
    const own = message.senderInboxId === inbox.inboxId
    return {
      enrolment: id,
      remoteId: message.id,
      conversation: described,
      from: await people.party(inbox, message.senderInboxId),
      own,
      remoteTime: message.sentAt.getTime(),
      via,
      content,
      reference,
      replaces: null,
      transactionId: own ? this.#sender.sent.transactionOf(message.id) : null,
    }
  }

  async #describe(conversation: Conversation): Promise<NativeConversation> {
    const { inbox, people } = this.#options
    const { id: remoteId } = conversation
    if ('peerInboxId' in conversation) {
      const peer = await people.party(inbox, conversation.peerInboxId)
      return { remoteId, kind: 'direct', name: null, peer }
    }
    return { remoteId, kind: 'group', name: conversation.name || null, peer: null }
  }

  #report(state: AdapterState, reason?: string, userAction?: string): void {
    if (this.#state === 'stopped' || (this.#state === 'loggedOut' && state !== 'stopped')) return
    if (this.#state === state && reason === undefined) return
    this.#state = state
    this.#options.context.enrolmentState(this.#options.id, {
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(userAction === undefined ? {} : { userAction }),
    })
  }
}

function isRevocation(error: unknown): error is XmtpError {
  return error instanceof XmtpError && error.code === 'installation-revoked'
}
