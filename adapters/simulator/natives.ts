/**
 * Native messages of a simulated network: what its own people write to each other, knowing nothing of gateways. A wallet may
 * have several clients; all of them see all of its conversations, and those that other clients of the wallet write too.
 */
import { AdapterError, type Clock, type NativeContent } from '../../src/adapter/index.ts'
import { simulatorAddress } from './address.ts'

export interface NativeMessage {
  remoteId: string
  /** Id of the conversation. */
  conversation: string
  /** Wallet of the sender; one without a wallet is known by its address alone. */
  from: { wallet: string | null; address: string }
  content: NativeContent
  reference: string | null
  replaces: string | null
  /** Unix milliseconds. */
  time: number
  /** Client of the sender that wrote it. */
  client: string
  transactionId: string | null
}

export interface SimulatedConversation {
  id: string
  kind: 'direct' | 'group'
  name: string | null
  /** Addresses. */
  members: string[]
}

interface NativeClient {
  id: string
  address: string
  /** When it rejects, the message is delivered again. */
  receive(message: NativeMessage): Promise<void>
}

export type NativeDraft = Pick<NativeMessage, 'content'> &
  Partial<Pick<NativeMessage, 'reference' | 'replaces' | 'transactionId'>>

/** What a network does with deliveries and time; see `SimulatedNetwork`. */
export interface NativeSettings {
  clock: Clock
  /** Calls `deliver` no time, once or twice, each with a delay in milliseconds. */
  withFaults(deliver: (delayMs: number) => void): void
  after(delayMs: number, task: () => void): void
  out(): boolean
}

const REDELIVERY_MS = 50

export class SimulatedNatives {
  readonly #settings: NativeSettings
  readonly #messages: NativeMessage[] = []
  readonly #conversations = new Map<string, SimulatedConversation>()
  readonly #clients = new Map<string, NativeClient>()
  /** Wallets by address, of everyone who has a wallet and was seen. */
  readonly #wallets = new Map<string, string>()
  #count = 0

  constructor(settings: NativeSettings) {
    this.#settings = settings
  }

  /** Makes somebody known. Without a wallet, the address is all that others see. */
  register(wallet: string | null, address = wallet === null ? '' : simulatorAddress(wallet)): string {
    if (wallet !== null) this.#wallets.set(address, wallet)
    return address
  }

  knows(address: string): boolean {
    return this.#wallets.has(address)
  }

  walletOf(address: string): string | null {
    return this.#wallets.get(address) ?? null
  }

  /** The direct conversation of two addresses, made if need be. */
  direct(left: string, right: string): SimulatedConversation {
    const members = [left, right].sort()
    const id = `direct-${members.join('-').replaceAll('sim:', '')}`
    const known = this.#conversations.get(id)
    if (known) return known
    const made: SimulatedConversation = { id, kind: 'direct', name: null, members }
    this.#conversations.set(id, made)
    return made
  }

  group(name: string, members: string[]): SimulatedConversation {
    const made: SimulatedConversation = { id: `group-${++this.#count}`, kind: 'group', name, members }
    this.#conversations.set(made.id, made)
    return made
  }

  conversation(id: string): SimulatedConversation | undefined {
    return this.#conversations.get(id)
  }

  /** Connects a client of an address. Returns what disconnects it. */
  join(client: NativeClient): () => void {
    this.#clients.set(client.id, client)
    return () => {
      if (this.#clients.get(client.id) === client) this.#clients.delete(client.id)
    }
  }

  /**
   * Somebody writes. A client that sends the same transaction again gets the message that it has. Throws `AdapterError`
   * `permanent` for a conversation of which the address is no member.
   */
  post(from: { address: string; client: string }, conversation: string, draft: NativeDraft): NativeMessage {
    const place = this.#conversations.get(conversation)
    if (!place?.members.includes(from.address)) {
      throw new AdapterError('permanent', 'the sender is in no such conversation')
    }
    const transactionId = draft.transactionId ?? null
    const known = this.lookUp(from.client, transactionId)
    if (known) return known
    const message: NativeMessage = {
      remoteId: `native-${++this.#count}`,
      conversation,
      from: { wallet: this.walletOf(from.address), address: from.address },
      content: draft.content,
      reference: draft.reference ?? null,
      replaces: draft.replaces ?? null,
      time: this.#settings.clock.now(),
      client: from.client,
      transactionId,
    }
    this.#messages.push(message)
    for (const client of this.#clients.values()) {
      if (place.members.includes(client.address)) {
        this.#settings.withFaults((delayMs) => this.#deliver(client, message, delayMs))
      }
    }
    return message
  }

  lookUp(client: string, transactionId: string | null): NativeMessage | undefined {
    if (transactionId === null) return undefined
    return this.#messages.find((other) => other.client === client && other.transactionId === transactionId)
  }

  /** Everything that an address may read, from `since` on, oldest first. */
  history(address: string, since = 0): NativeMessage[] {
    return this.#messages.filter(
      ({ conversation, time }) =>
        time >= since && this.#conversations.get(conversation)?.members.includes(address),
    )
  }

  #deliver(client: NativeClient, message: NativeMessage, delayMs: number): void {
    this.#settings.after(delayMs, () => {
      if (this.#settings.out() || this.#clients.get(client.id) !== client) return
      // Not acknowledged: it comes again.
      client.receive(message).catch(() => this.#deliver(client, message, REDELIVERY_MS))
    })
  }
}
