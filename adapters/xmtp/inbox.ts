/**
 * One client of the SDK: one installation of one inbox, with its database. Opened, closed and opened again on the same
 * database it stays the same installation. The gateway's own inbox is one; so is each enrolled wallet's.
 */
import type {
  ConsentState,
  ContentType,
  DeliveryStatus,
  InboxState,
  LogLevel,
  MessageSortBy,
  SortDirection,
} from '@xmtp/node-bindings'
import type { Client, ClientOptions, DecodedMessage, Dm, Group, Signer } from '@xmtp/node-sdk'
import { abortable, abortedError } from './abortable.ts'
import type { SharedBackend } from './backends.ts'
import { DirectConversations } from './direct.ts'
import { toXmtpError, XmtpError } from './errors.ts'
import { Rooms } from './rooms.ts'
import type { Sdk } from './sdk.ts'

/** The SDK's enums exist in its types alone; these are their values. */
const LOG_OFF = 'Off' as LogLevel
const CUSTOM_CONTENT = 2 as ContentType
const REACTION_CONTENT = 9 as ContentType
const PUBLISHED = 1 as DeliveryStatus
const FAILED = 2 as DeliveryStatus
const BY_SENDING = 0 as MessageSortBy
const ASCENDING = 0 as SortDirection
const DESCENDING = 1 as SortDirection
/** A gateway hears everybody who writes to it. Nobody is denied by it, and what another installation denied is not heard. */
const HEARD: ConsentState[] = [0 as ConsentState, 1 as ConsentState]

/** Longest waits for one call, and for a sync of everything, which after a long absence is many. Milliseconds. */
const CALL_LIMIT_MS = 60_000
const SYNC_ALL_LIMIT_MS = 600_000
/** A sync of everything has listed the conversations after this time, in milliseconds; those made later are not in it. */
const LISTING_LIMIT_MS = 5_000
/** Messages read from the database at once. */
const PAGE = 500
/** Latest messages of a conversation of which reactions are read. */
const REACTED_TO = 1_000
/** A reaction may be stored this much later than it says that it was sent, in nanoseconds. */
const SEND_DELAY = 3_600_000_000_000n
const NANOSECONDS = 1_000_000n

export type XmtpMessage = DecodedMessage<unknown>
export type Conversation = Dm<unknown> | Group<unknown>

export interface InboxSettings {
  sdk: Sdk
  shared: SharedBackend
  /** Asked to sign only where the database holds no installation yet. */
  signer: Signer
  /** Null: in memory, a new installation at every opening. */
  databasePath: string | null
  /** 32 bytes. */
  databaseKey: Uint8Array
  codecs: NonNullable<ClientOptions['codecs']>
}

/** `unpublished`: stored here, the next sync sends it. `failed`: the SDK gave up and sends it only when told to once more. */
export type MessageStatus = 'absent' | 'unpublished' | 'published' | 'failed'

export class XmtpInbox {
  readonly #client: Client<unknown>
  readonly #settings: InboxSettings
  readonly #direct: DirectConversations
  readonly #rooms = new Rooms<'making' | 'listing'>()
  readonly #life = new AbortController()
  #interrupt: () => void = () => undefined

  private constructor(client: Client<unknown>, settings: InboxSettings) {
    this.#client = client
    this.#settings = settings
    const lifetime = this.#life.signal
    this.#direct = new DirectConversations({
      client,
      lifetime,
      call: (requests, work) => this.#call(requests, lifetime, work),
      alone: (requests, work) =>
        this.#call(requests, lifetime, work, { room: 'making', holdMs: CALL_LIMIT_MS }),
      interrupt: () => this.#interrupt(),
    })
  }

  /** Opens the database, registers the installation where it is new. Takes as long as the network takes. Throws `XmtpError`. */
  static async open(settings: InboxSettings): Promise<XmtpInbox> {
    const { sdk, shared, signer, databasePath, databaseKey, codecs } = settings
    try {
      const client = await sdk.Client.create(signer, {
        backend: shared.backend,
        dbPath: databasePath,
        dbEncryptionKey: databaseKey,
        useSingleConnection: true,
        disableDeviceSync: true,
        loggingLevel: LOG_OFF,
        codecs,
      })
      return new XmtpInbox(client as Client<unknown>, settings)
    } catch (error) {
      throw toXmtpError(error)
    }
  }

  get inboxId(): string {
    return this.#client.inboxId
  }

  /** Hex of the installation's public key. */
  get installationId(): string {
    return this.#client.installationId
  }

  /** The SDK's client, for what this unit does not cover. */
  get client(): Client<unknown> {
    return this.#client
  }

  /**
   * Hears messages of all conversations, own ones included, until the stream breaks or the signal aborts; what came while
   * nobody listened comes first. `opened` is called when the subscription was made.
   *
   * `disableSync`: what a sync at the start brings would never be emitted. Own retries: those of the SDK do not end with
   * the stream.
   */
  async listen(
    hooks: { opened: () => void; message: (message: XmtpMessage) => void },
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted) return
    let failure: unknown = null
    // It follows the conversations that there are when it opens, those half made as well.
    const leave = await this.#rooms.enter('listing', signal)
    const opening = this.#client.conversations.streamAllMessages({
      disableSync: true,
      retryOnFail: false,
      consentStates: HEARD,
      onError: (error) => {
        failure ??= error
      },
    })
    this.#leaveAfter(opening, CALL_LIMIT_MS, leave)
    const stream = await this.#within(CALL_LIMIT_MS, signal, opening).catch((error: unknown) => {
      // One that comes late would go on unheard. One that fails then has nothing to end.
      opening.then((late) => late.end()).catch(() => undefined)
      throw error
    })
    const end = () => void stream.end()
    signal.addEventListener('abort', end, { once: true })
    this.#interrupt = end
    try {
      if (signal.aborted || stream.isDone) return
      hooks.opened()
      for await (const message of stream) hooks.message(message)
    } finally {
      signal.removeEventListener('abort', end)
      await stream.end()
    }
    if (!signal.aborted && failure !== null) throw toXmtpError(failure)
  }

  /** Fetches new conversations: one call, and so the cheapest proof that the network answers. */
  async sync(signal: AbortSignal): Promise<void> {
    await this.#call(1, signal, () => this.#client.conversations.sync())
  }

  /** Fetches everything that the network has for this installation. */
  async syncAll(signal: AbortSignal): Promise<void> {
    await this.#call(2, signal, () => this.#client.conversations.syncAll(HEARD), {
      room: 'listing',
      holdMs: LISTING_LIMIT_MS,
      limitMs: SYNC_ALL_LIMIT_MS,
    })
  }

  /** Publishes what is stored for a conversation and fetches what is new in it. */
  async syncConversation(conversation: Conversation, publishes: number, signal: AbortSignal): Promise<void> {
    await this.#call(publishes + 1, signal, () => conversation.sync())
  }

  /** The conversation with an inbox, whole or not; null where there is none yet. */
  existingDm(inboxId: string): Dm<unknown> | null {
    return this.#direct.existing(inboxId)
  }

  /**
   * The conversation with an inbox, made where there is none, with the peer in it and told of it. May end the stream.
   * Rejects with `recipient-not-registered`.
   */
  async dmWith(inboxId: string, signal: AbortSignal): Promise<Dm<unknown>> {
    return this.#local(() => this.#direct.with(inboxId, signal))
  }

  /** What became of a message. Looks into the database alone. */
  statusOf(messageId: string): MessageStatus {
    const message = this.#client.conversations.getMessageById(messageId)
    if (!message) return 'absent'
    if (message.deliveryStatus === PUBLISHED) return 'published'
    return message.deliveryStatus === FAILED ? 'failed' : 'unpublished'
  }

  /**
   * Messages stored here after a time (Unix milliseconds), those of one conversation in order; own ones once they are
   * published. `custom`: only contents that XMTP does not define itself. Repeats one at a time where a page ends.
   *
   * libxmtp 1.11 counts the seconds of the minute twice in the time of storing, which is then up to 59 s late and never early:
   * nothing is left out, and what was stored in the minute before comes once more. An order by that time would be wrong.
   */
  async *messagesSince(
    since: number,
    signal: AbortSignal,
    options: { custom?: boolean } = {},
  ): AsyncGenerator<StoredMessage> {
    const until = BigInt(Number.MAX_SAFE_INTEGER) * 1_000n
    const after = BigInt(Math.max(0, Math.floor(since))) * NANOSECONDS
    const kinds = options.custom ? { contentTypes: [CUSTOM_CONTENT] } : {}
    const conversations: Conversation[] = [
      ...this.#client.conversations.listDms({ consentStates: HEARD }),
      ...this.#client.conversations.listGroups({ consentStates: HEARD }),
    ]
    for (const conversation of conversations) {
      for await (const message of this.#between(conversation, after, until, kinds, signal)) {
        yield { conversation, message }
      }
      if (options.custom) continue
      for (const message of await this.#reactionsSince(conversation, after)) yield { conversation, message }
    }
  }

  /** The SDK lists a reaction nowhere but with the message that it is for, and that may be an older one. */
  async #reactionsSince(conversation: Conversation, after: bigint): Promise<XmtpMessage[]> {
    const range = { insertedAfterNs: after, contentTypes: [REACTION_CONTENT] }
    if ((await this.#local(() => conversation.countMessages(range))) === 0) return []
    const recent = await this.#local(() =>
      conversation.messages({ limit: REACTED_TO, direction: DESCENDING }),
    )
    return recent
      .flatMap(({ reactions }) => reactions)
      .filter(({ sentAtNs }) => sentAtNs > after - SEND_DELAY)
  }

  async *#between(
    conversation: Conversation,
    after: bigint,
    before: bigint,
    kinds: { contentTypes?: ContentType[] },
    signal: AbortSignal,
  ): AsyncGenerator<XmtpMessage> {
    if (signal.aborted) throw abortedError(signal)
    const range = {
      insertedAfterNs: after,
      insertedBeforeNs: before,
      deliveryStatus: PUBLISHED,
      ...kinds,
    }
    const count = await this.#local(() => conversation.countMessages(range))
    if (count === 0) return
    // There is no cursor, so the time is halved until a part fits a page.
    const middle = (after + before) / 2n
    if (count > PAGE && middle > after + 1n) {
      yield* this.#between(conversation, after, middle + 1n, kinds, signal)
      yield* this.#between(conversation, middle - 1n, before, kinds, signal)
      return
    }
    yield* await this.#local(() =>
      conversation.messages({ ...range, sortBy: BY_SENDING, direction: ASCENDING }),
    )
  }

  /** Inbox and installations as the network has them now. */
  async state(signal: AbortSignal): Promise<InboxState> {
    return this.#call(1, signal, () => this.#client.preferences.fetchInboxState())
  }

  /** Ends streams and background work and releases the database. More than once is no error. */
  async close(): Promise<void> {
    this.#life.abort(new XmtpError('closed', 'The inbox was closed'))
    await this.#client.close()
  }

  /**
   * A call of the network, counted. The caller need not wait for it, and no longer than `limitMs`: on a connection that died
   * silently the SDK may wait for ever. In a room it stays until the SDK has ended it, but no longer than `holdMs`.
   */
  async #call<T>(
    requests: number,
    signal: AbortSignal,
    work: () => Promise<T>,
    options: { limitMs?: number; room?: 'making' | 'listing'; holdMs?: number } = {},
  ): Promise<T> {
    const { requests: limiter } = this.#settings.shared
    const { limitMs = CALL_LIMIT_MS, room, holdMs = limitMs } = options
    await limiter.take(requests, signal)
    const leave = room === undefined ? null : await this.#rooms.enter(room, signal)
    const call = this.#local(work)
    if (leave) this.#leaveAfter(call, holdMs, leave)
    return this.#within(limitMs, signal, call)
  }

  /** Waits for a call until the signal aborts. Rejects with `unavailable` after `limitMs`. */
  async #within<T>(limitMs: number, signal: AbortSignal, call: Promise<T>): Promise<T> {
    const late = new AbortController()
    const over = new AbortController()
    const timer = this.#settings.shared.clock.sleep(limitMs, over.signal).then(
      () => late.abort(new XmtpError('unavailable', 'XMTP does not answer in time')),
      () => undefined,
    )
    try {
      return await abortable(call, AbortSignal.any([signal, late.signal]))
    } catch (error) {
      throw late.signal.aborted && !signal.aborted ? late.signal.reason : error
    } finally {
      over.abort()
      await timer
    }
  }

  #leaveAfter(call: Promise<unknown>, holdMs: number, leave: () => void): void {
    const ended = new AbortController()
    const end = () => ended.abort()
    call.then(end, end)
    const { clock } = this.#settings.shared
    clock.sleep(holdMs, AbortSignal.any([ended.signal, this.#life.signal])).then(leave, leave)
  }

  async #local<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw toXmtpError(error)
    }
  }
}

export interface StoredMessage {
  conversation: Conversation
  message: XmtpMessage
}
