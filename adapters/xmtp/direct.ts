/**
 * Makes direct conversations, so that their peer is told of each once and only once.
 *
 * libxmtp tells a peer of a conversation by a welcome, after the change that adds the peer is on the network. Three things go
 * wrong with that. A making that fails half way leaves a conversation without the peer, or with a peer that was never told,
 * and libxmtp takes it for whole from then on. Two syncs of one conversation at the same time, where the second may well be
 * that of an open stream that sees the change come by, send the welcome twice. And a client that gets two welcomes of one
 * conversation at once may have it in its database and never hear a message of it: its stream waits for a wake-up that was
 * lost (libxmtp 1.11). So a conversation is made while nothing else syncs it, and is not used before it was synced in full.
 */
import type { Client, Dm } from '@xmtp/node-sdk'
import { abortable } from './abortable.ts'
import { XmtpError } from './errors.ts'
import { addPeerToDm } from './native.ts'

/** Calls that it takes to make a direct conversation. */
const MAKING_REQUESTS = 8
/** Calls that it takes to publish and fetch what is new in a conversation. */
const SYNC_REQUESTS = 2
/** Direct conversations remembered to be whole. */
const MOST_WHOLE = 50_000

export interface DirectParts {
  client: Client<unknown>
  /** Ends with the inbox. */
  lifetime: AbortSignal
  /** Calls the network while nobody lists conversations in order to follow or to sync them. Rejects with `XmtpError`. */
  alone<T>(requests: number, work: () => Promise<T>): Promise<T>
  /** Calls the network. Rejects with `XmtpError`. */
  call<T>(requests: number, work: () => Promise<T>): Promise<T>
  /** Ends the stream, which may follow a conversation that is not whole. */
  interrupt(): void
}

export class DirectConversations {
  readonly #parts: DirectParts
  readonly #whole = new Set<string>()
  readonly #underWay = new Map<string, Promise<Dm<unknown>>>()

  constructor(parts: DirectParts) {
    this.#parts = parts
  }

  /** The conversation with an inbox, whole or not; null where there is none yet. */
  existing(inboxId: string): Dm<unknown> | null {
    return this.#parts.client.conversations.getDmByInboxId(inboxId) ?? null
  }

  /**
   * The conversation with an inbox, made where there is none, with the peer in it and told of it. A making goes on when the
   * caller gives up, and the next caller waits for that one. Rejects with `recipient-not-registered`.
   */
  async with(inboxId: string, signal: AbortSignal): Promise<Dm<unknown>> {
    const known = this.existing(inboxId)
    if (known && this.#whole.has(known.id)) return known
    if (this.#parts.lifetime.aborted) throw new XmtpError('closed', 'The inbox was closed')
    const underWay = this.#underWay.get(inboxId)
    if (underWay) return abortable(underWay, signal)
    const making = this.#make(inboxId).finally(() => this.#underWay.delete(inboxId))
    this.#underWay.set(inboxId, making)
    return abortable(making, signal)
  }

  async #make(inboxId: string): Promise<Dm<unknown>> {
    const { client, alone } = this.#parts
    let dm = this.existing(inboxId)
    if (dm) await this.#complete(dm, inboxId)
    else {
      await this.#find(inboxId)
      dm = await alone(MAKING_REQUESTS, () => client.conversations.createDm(inboxId))
    }
    if (this.#whole.size >= MOST_WHOLE) this.#whole.clear()
    this.#whole.add(dm.id)
    return dm
  }

  async #complete(dm: Dm<unknown>, inboxId: string): Promise<void> {
    const { client, alone, interrupt } = this.#parts
    const members = await dm.members()
    if (members.some((member) => member.inboxId === inboxId)) {
      // Sends what an earlier process or a making that failed has left unsent, and rejects where it cannot.
      await alone(SYNC_REQUESTS, () => dm.sync())
      return
    }
    await this.#find(inboxId)
    await alone(MAKING_REQUESTS, () => {
      interrupt()
      return addPeerToDm(client, inboxId)
    })
  }

  /** Where the network is away or the peer unknown this fails, before anything half made is left behind. */
  async #find(inboxId: string): Promise<void> {
    const { client, call } = this.#parts
    await call(1, () => client.preferences.fetchInboxStates([inboxId]))
  }
}
