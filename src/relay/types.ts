/** What the relay offers to the rest of the gateway, and what it asks for. */
import type {
  Adapter,
  AdapterDefinition,
  Capabilities,
  DeliverResult,
  Inbound,
  NativeInbound,
  OpaqueInbound,
  StateReport,
} from '../adapter/index.ts'
import type { AppliedRule } from '../identity/types.ts'
import type {
  Checkpoint,
  ConversationChoice,
  ConversationState,
  Delivery,
  DeliveryState,
  InboxItem,
  InboxSettings,
  StoredEnvelope,
} from '../store/port.ts'
import type { Standing } from './ranking.ts'

export interface Relay {
  /** Loads open deliveries, starts the lanes and timers. */
  start(): Promise<void>
  /** Stops taking work, waits for what is in flight (up to the signal), leaves the rest in the store. */
  stop(signal: AbortSignal): Promise<void>
  /**
   * Takes an envelope from a wallet's own client. Resolves when it is durable (`202`). Throws `RelayError`, `EnvelopeError`.
   * `submitter`: wallet of the session; it must be the envelope's sender.
   */
  submit(input: { sealed: Uint8Array; via: 'http' | 'socket'; submitter: string }): Promise<Accepted>
  /** Takes a frame heard on a network. Never throws for bad frames: they are `refused` with their code. */
  hear(network: string, inbound: Inbound): Promise<DeliverResult>
  /** Takes what a mirror heard on a network. Refusals are answers; rejects only when it could not be made durable. */
  hearOpaque(network: string, inbound: OpaqueInbound): Promise<DeliverResult>
  /** Takes a message of an enrolled wallet's own client. As `hearOpaque`. */
  hearNative(network: string, inbound: NativeInbound): Promise<DeliverResult>
  readonly mirrors: Mirrors
  readonly conversations: Conversations
  /** Walks a network's history now. */
  reconcile(network: string, signal: AbortSignal): Promise<{ heard: number; accepted: number }>
  /** Notes what a client says has arrived or been read. Only for envelopes in the wallet's inbox. */
  receipts(wallet: string, receipts: ClientReceipt[]): Promise<number>
  /** Sends a dead or superseded delivery again. */
  replay(deliveryId: number): Promise<Delivery>
  journey(id: Uint8Array): Promise<{ checkpoints: Checkpoint[]; deliveries: Delivery[] }>
  /** Why an envelope goes where it goes, for each of the wallets. */
  explain(envelope: StoredEnvelope, wallets: readonly string[]): Promise<RouteExplanation[]>
  /** Where a message to a wallet would go now. `sender`: the wallet that it would be from. */
  explainRoute(wallet: string, sender: string | null): Promise<RouteExplanation>
}

/** Why the deliveries of an envelope to one wallet are those that they are. */
export interface RouteExplanation extends AppliedRule {
  wallet: string
  /** When the deliveries were planned, Unix milliseconds. */
  plannedAt: number
  /**
   * The rule and the measurements are those of then. Otherwise they are those of now: routes may have changed, and ranked choices
   * are remembered for the last 10,000 plans of this run of the gateway.
   */
  isExact: boolean
  /** In the order in which networks were, or would be, used; those that are not used come last. */
  steps: RouteStep[]
}

export interface RouteStep {
  network: string
  /**
   * `copy`: one of a mirror route. `first`, `standby`: of a fallback route. `heard-there`: the message came over this endpoint.
   * `origin`: a native or opaque message of this network. `not-needed`: a network before it has the message.
   * `no-endpoint`: the wallet has no enabled address there.
   */
  use: 'copy' | 'first' | 'standby' | 'heard-there' | 'origin' | 'not-needed' | 'no-endpoint'
  /**
   * Why it stands in this place. `named`, `not-named`: by the order of the route. `ranked`: by its score. `quiet`: hardly
   * measured lately. `probed`: put first to be measured. `not-connected`: put last.
   */
  place: 'named' | 'not-named' | 'ranked' | 'quiet' | 'probed' | 'not-connected'
  /** What was measured; null where the order does not depend on it. */
  standing: Standing | null
  /** State of the delivery now, and its reason; null without one. */
  state: DeliveryState | null
  reason: string | null
}

/** Opaque mirroring: what wallets asked to have mirrored. Each wallet has at most one registration for a network. */
export interface Mirrors {
  /**
   * Makes or changes the registration of a wallet, and follows it. `registration` is what the network's adapter asks for.
   * Throws `RelayError`: `network-unknown`, `mirror-unsupported`, `mirror-registration-invalid`, `mirror-too-large`.
   */
  put(wallet: string, network: string, registration: unknown): Promise<MirrorSummary>
  /** Ends it: once resolved, nothing more is taken for it. Throws `mirror-unknown`. */
  remove(wallet: string, network: string): Promise<void>
  /** By network. What was registered is not told again: it may hold keys. */
  list(wallet: string): Promise<MirrorSummary[]>
}

/** What a wallet does with its conversations, beside writing in them. Its live subscribers are told of every change. */
export interface Conversations {
  /**
   * Notes that it has read a conversation up to a place in its inbox; never goes back. Senders are told as far as the wallet
   * wants it. Throws `RelayError` `conversation-unknown`.
   */
  read(wallet: string, conversation: Uint8Array, through: number): Promise<ConversationState>
  /**
   * Keeps what it chooses for a conversation, one without items too. What was held back of one that is allowed now is sent
   * on. Throws `RelayError` `conversation-choices-full`.
   */
  choose(choice: Omit<ConversationChoice, 'at'>): Promise<ConversationState>
  settings(wallet: string): Promise<InboxSettings>
  setSettings(wallet: string, settings: InboxSettings): Promise<InboxSettings>
}

export interface MirrorSummary {
  network: string
  /** How many topics are followed. */
  topics: number
  createdAt: number
  updatedAt: number
  /** The network's adapter has taken it up. */
  following: boolean
}

export interface Accepted {
  id: Uint8Array
  duplicate: boolean
  deliveries: { network: string; wallet: string; state: DeliveryState }[]
}

export interface ClientReceipt {
  id: Uint8Array
  /** `http` or the network over which it came. */
  network: string
  kind: 'delivered' | 'read'
  /** Client's clock, Unix milliseconds. */
  at: number
}

/** The running adapters, as the relay and the HTTP API see them. */
export interface Networks {
  /** In the configured order. Asks every adapter about itself: not for hot paths. */
  list(): NetworkStatus[]
  /** In the configured order. The same as long as the gateway runs. */
  names(): readonly string[]
  get(network: string): RunningNetwork | undefined
  restart(network: string): Promise<void>
  start(): Promise<void>
  stop(signal: AbortSignal): Promise<void>
  onState(listener: (network: string, report: StateReport) => void): () => void
}

export interface RunningNetwork {
  name: string
  definition: AdapterDefinition
  adapter: Adapter
}

export interface NetworkStatus extends StateReport {
  network: string
  title: string
  /** Since when it is in this state, Unix milliseconds. */
  since: number
  sandbox: boolean
  capabilities: Capabilities
  limits: { maxFrameBytes: number }
  /** The gateway's own address on the network. */
  address: string | null
  description: Record<string, unknown>
}

/** Told of everything that happens; metrics and logs implement it. Must not throw. */
export interface RelayObserver {
  accepted(
    via: string,
    outcome: 'accepted' | 'duplicate' | 'echo' | 'refused',
    code: string | null,
    milliseconds: number,
  ): void
  dispatched(network: string, outcome: DeliveryOutcome, milliseconds: number): void
  reconciled(network: string, heard: number, accepted: number): void
  networkState(network: string, report: StateReport): void
}

export type DeliveryOutcome = 'acknowledged' | 'willRetry' | 'uncertain' | 'dead' | 'superseded'

/** Where the relay hands inbox items for live subscribers, after they are durable. */
export interface PublishOptions {
  /** An item of before, whose envelope has got more key wraps. Default false. */
  completed?: boolean
  /** The wallet wants no notification of it. Default false. */
  quiet?: boolean
}

export interface LivePublisher {
  publish(wallet: string, item: InboxItem, how?: PublishOptions): void
  publishConversation(wallet: string, state: ConversationState): void
}

export interface RelaySettings {
  /** Largest sealed envelope in bytes. */
  maxEnvelopeBytes: number
  maxRecipients: number
  /** How far a sender's clock may run ahead, milliseconds. */
  maxFutureMs: number
  retry: { scheduleMs: number[]; growth: number; maxMs: number; maxAttempts: number; spread: number }
  sendTimeoutMs: number
  /** A delivery that waits for a retry holds its lane at most this long. */
  laneHoldMs: number
  maxInFlightPerNetwork: number
  /** Deliveries of one network that are kept in memory; more wait in the store. Default 10,000. */
  maxQueuedPerNetwork?: number
  /** Entries of each cache that spares look-ups. Default 50,000. */
  cacheEntries?: number
  /** Topics that a wallet may have followed on one network, for opaque mirroring. Default 2,000. */
  mirrorTopics?: number
  /** Mirrored messages a second of one wallet, sustained, and at once. Defaults 50 and 5,000. */
  mirrorPerSecond?: number
  mirrorBurst?: number
  reconcileIntervalMs: number
  reconcileOverlapMs: number
}
