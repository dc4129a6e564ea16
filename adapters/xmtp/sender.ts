/**
 * Sends through one inbox. One conversation is one lane: what waits there is stored together and published by one sync, in
 * order. A message is stored under an id that follows from its key, so that a retry publishes what is stored already
 * instead of making a second message.
 */
import type { Clock } from '../../src/adapter/index.ts'
import type { EncodedEnvelope } from './codec.ts'
import { toXmtpError, XmtpError } from './errors.ts'
import type { Conversation, XmtpInbox } from './inbox.ts'
import type { Limiter } from './limiter.ts'
import { messageIdOf } from './message-id.ts'

/** Messages stored and published together at most. */
const BATCH = 50
/** Syncs until what they sent must be seen as published, and the first pause between two, in milliseconds. */
const SYNCS = 5
const SYNC_PAUSE_MS = 20

export interface Outgoing {
  /** Inbox id. */
  to: string
  content: EncodedEnvelope
  /** The same for every try of one delivery. */
  key: string
  push: boolean
}

/** Says of a failed send how far it had come: `stored` messages are published by any later sync of their conversation. */
export class SendFailure extends Error {
  override readonly name = 'SendFailure'
  readonly stage: 'before' | 'stored'
  override readonly cause: XmtpError

  constructor(stage: 'before' | 'stored', cause: unknown) {
    super('A message was not sent')
    this.stage = stage
    this.cause = toXmtpError(cause)
  }
}

interface Job {
  outgoing: Outgoing
  signal: AbortSignal
  /** True once it may be in the database. */
  stored: boolean
  resolve(messageId: string): void
  reject(failure: SendFailure): void
}

/** Lanes work on until their inbox is closed; then every call of it fails, and with it every job. */
export class Sender {
  readonly #inbox: XmtpInbox
  readonly #publishes: Limiter | null
  readonly #clock: Clock
  readonly #lifetime: AbortSignal
  readonly #lanes = new Map<string, Job[]>()

  /** `lifetime` ends with the inbox. `publishes` counts what the network counts; null: it does not. */
  constructor(inbox: XmtpInbox, publishes: Limiter | null, clock: Clock, lifetime: AbortSignal) {
    this.#inbox = inbox
    this.#publishes = publishes
    this.#clock = clock
    this.#lifetime = lifetime
  }

  /** Resolves with the message id once the message is on the network. Rejects with `SendFailure`, at once on the signal. */
  send(outgoing: Outgoing, signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        const cause = new XmtpError('aborted', 'Given up before XMTP answered', { cause: signal.reason })
        reject(new SendFailure(job.stored ? 'stored' : 'before', cause))
      }
      const settled = () => signal.removeEventListener('abort', giveUp)
      const job: Job = {
        outgoing,
        signal,
        stored: false,
        resolve(messageId) {
          settled()
          resolve(messageId)
        },
        reject(failure) {
          settled()
          reject(failure)
        },
      }
      if (signal.aborted) {
        giveUp()
        return
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#enqueue(job)
    })
  }

  /**
   * The id of an earlier send that is on the network, and null where it certainly is not. Publishes it if it is only
   * stored. Rejects with `XmtpError` where that is not known.
   */
  async find(outgoing: Outgoing, signal: AbortSignal): Promise<string | null> {
    const dm = this.#inbox.existingDm(outgoing.to)
    if (!dm) return null
    for (const conversation of [dm, ...(await dm.duplicateDms())]) {
      const id = idIn(conversation, outgoing)
      const status = this.#inbox.statusOf(id)
      if (status === 'published') return id
      if (status === 'absent') continue
      await this.#inbox.syncConversation(conversation, 1, signal)
      const synced = this.#inbox.statusOf(id)
      if (synced === 'published') return id
      if (synced === 'unpublished') throw new XmtpError('unavailable', 'Stored here, and not on XMTP yet')
    }
    // Given up by the SDK and not among what the network has: a send puts it there under the same id.
    return null
  }

  #enqueue(job: Job): void {
    const lane = this.#lanes.get(job.outgoing.to)
    if (lane) {
      lane.push(job)
      return
    }
    const jobs = [job]
    this.#lanes.set(job.outgoing.to, jobs)
    void this.#work(job.outgoing.to, jobs)
  }

  /** Never rejects: each job is told what became of it. */
  async #work(to: string, jobs: Job[]): Promise<void> {
    while (jobs.length > 0) {
      const batch = jobs.splice(0, BATCH).filter(({ signal }) => !signal.aborted)
      if (batch.length === 0) continue
      try {
        await this.#publish(to, batch)
      } catch (error) {
        for (const job of batch) job.reject(new SendFailure(job.stored ? 'stored' : 'before', error))
      }
    }
    this.#lanes.delete(to)
  }

  async #publish(to: string, batch: Job[]): Promise<void> {
    const conversation = await this.#inbox.dmWith(to, this.#lifetime)
    await this.#publishes?.take(batch.length, this.#lifetime)
    const pending: { job: Job; id: string }[] = []
    for (const job of batch) {
      if (job.signal.aborted) continue
      try {
        const id = await this.#store(conversation, job)
        if (id !== null) pending.push({ job, id })
      } catch (error) {
        job.reject(new SendFailure(job.stored ? 'stored' : 'before', error))
      }
    }
    if (pending.length === 0) return
    const failure = await this.#sync(
      conversation,
      pending.map(({ id }) => id),
    )
    for (const { job, id } of pending) {
      if (this.#inbox.statusOf(id) === 'published') job.resolve(id)
      else job.reject(new SendFailure('stored', failure))
    }
  }

  /**
   * Publishes what is stored, and answers why not all of it is published, if so. A sync may end well before what it sent is
   * seen as published: the stream may be at work on the same conversation.
   */
  async #sync(conversation: Conversation, ids: string[]): Promise<XmtpError> {
    try {
      for (let round = 1; ; round++) {
        await this.#inbox.syncConversation(conversation, ids.length, this.#lifetime)
        const isPublished = ids.every((id) => this.#inbox.statusOf(id) === 'published')
        if (isPublished || round === SYNCS) break
        await this.#clock.sleep(SYNC_PAUSE_MS * round, this.#lifetime)
      }
    } catch (error) {
      return toXmtpError(error)
    }
    return new XmtpError('unpublished', 'Stored here, and not on XMTP yet')
  }

  /** Puts a message into the database, to be published by the next sync. Null when it is on the network already. */
  async #store(conversation: Conversation, job: Job): Promise<string | null> {
    const { content, key, push } = job.outgoing
    const id = idIn(conversation, job.outgoing)
    const status = this.#inbox.statusOf(id)
    if (status === 'published') {
      job.resolve(id)
      return null
    }
    job.stored = true
    // Stored a second time, an unpublished message would go out twice; one that the SDK gave up goes out again by this.
    if (status === 'unpublished') return id
    return conversation.send(content, { shouldPush: push, optimistic: true, idempotencyKey: key })
  }
}

function idIn(conversation: Conversation, { key, content }: Outgoing): string {
  return messageIdOf(conversation.id, key, content)
}
