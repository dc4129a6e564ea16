/**
 * The adapter contract: everything that the gateway and a network's adapter know of each other.
 *
 * To add a network: make `adapters/<network>/index.ts` with `export default defineAdapter({...})`, add one line to
 * `registry.ts`, and run `describeAdapterContract` over it. Nothing else changes.
 */
import type { z } from 'zod'
import type { Capabilities } from './capabilities.ts'
import type { AdapterContext } from './context.ts'
import type { EnrolmentFacet } from './enrolment.ts'
import type {
  CredentialsFacet,
  DoctorFacet,
  HistoryFacet,
  IdentityFacet,
  WakeFacet,
  WebhookFacet,
} from './facets.ts'
import type { OpaqueFacet } from './opaque.ts'

/** `xmtp`, `push`, `waku`, `trtc`, `simulator`, …: lower-case letters, digits and hyphens. */
export type NetworkName = string

/** What is true of a network whatever the configuration. Data only, so that it can be shown without starting anything. */
export interface Manifest {
  network: NetworkName
  /** Shown to people. */
  title: string
  /** Version of this contract that the adapter was written against. */
  specVersion: 1
  limits: {
    /** Largest frame in bytes, before the carriage's own encoding. `send` refuses more with `tooLarge`. */
    maxFrameBytes: number
  }
  /** How long the network may deliver one message again, in milliseconds. Aliases are kept at least this long. */
  redeliveryWindowMs: number
  /** `conversation`: messages of one sender to one recipient arrive in order; `none`: any order. */
  ordering: 'none' | 'conversation'
  /**
   * Other gateways hear what is sent to their wallets on this network (Waku). Elsewhere each gateway has an app or an
   * account of its own (TRTC), and sending to a wallet that never signed in here would reach nobody.
   */
  federates: boolean
  /** The network carries our transaction id natively, so that an echo is recognised without opening it. */
  carriesTransactionId: boolean
  /**
   * What the adapter keeps in its folder is who the gateway is on the network, and cannot be made anew at will (XMTP: one of
   * ten installations). Whoever joins for a moment, as the doctor does, takes that folder and no other.
   */
  keepsIdentity?: boolean
  /** The network notifies the devices of a wallet of each message by itself (TRTC): no other network has to wake it. */
  notifiesDevices?: boolean
  /** Environment variables that the adapter's configuration may be given by. */
  environment: EnvironmentVariable[]
}

export interface EnvironmentVariable {
  name: string
  /** Path in the adapter's configuration, e.g. `secretKey`. */
  path: string
  description: string
  secret: boolean
}

/** What `adapters/<network>/index.ts` exports by default. */
export interface AdapterDefinition<Schema extends z.ZodType = z.ZodType> {
  manifest: Manifest
  /** Strict schema of `networks.<network>` in the configuration file, with defaults and a description for each key. */
  config: Schema
  /** Wires the parts together. No I/O here: the first connection is made by `start`. */
  create(config: z.output<Schema>, context: AdapterContext): Adapter
}

/** A running (or startable) connection of this gateway to one network. */
export interface Adapter {
  /**
   * Connects and goes on connecting until `stop`. Resolves when the first attempt has ended, well or not, and never
   * rejects for connection trouble: that is reported through `context.state(...)`.
   */
  start(signal: AbortSignal): Promise<void>
  /**
   * Closes every socket, timer and file, ends a `start` that is under way, and reports `stopped`. May be called at any
   * time, more than once. Nothing is delivered afterwards, until `start` is called again.
   */
  stop(signal: AbortSignal): Promise<void>
  capabilities(): Capabilities
  /**
   * Puts one frame on the network. Called with the same `transactionId` for every retry of one delivery.
   * Before `start`, after `stop` and while the network is certainly out of reach it rejects with `retryable`.
   * Rejects only with `AdapterError`; when `signal` aborts after the frame may have left, with class `uncertain`.
   */
  send(intent: SendIntent, signal: AbortSignal): Promise<Receipt>

  /** What a wallet's own client needs to know to join the network beside this gateway. Public data only. */
  describe?(): Record<string, unknown>

  history?: HistoryFacet
  identity?: IdentityFacet
  webhook?: WebhookFacet
  credentials?: CredentialsFacet
  enrolment?: EnrolmentFacet
  opaque?: OpaqueFacet
  wake?: WakeFacet
  doctor?: DoctorFacet
}

/** A wallet and where it is reached on this network. */
export interface Endpoint {
  /** walletKey, e.g. `eip155:*:0x…` */
  wallet: string
  /** The network's own address: XMTP inbox id, Push DID, Waku content topic, TRTC userID. */
  address: string
}

/** One frame on its way to one endpoint. */
export interface SendIntent {
  /** Deterministic for (envelope, network, endpoint): 32 lower-case hex characters. The same on every retry. */
  transactionId: string
  /** Envelope id (32 bytes), for networks that can carry it beside the frame. */
  envelopeId: Uint8Array
  /** Encoded frame; opaque to the adapter. */
  frame: Uint8Array
  to: Endpoint
  /** The sending wallet and, if it has one, its address on this network. */
  from: { wallet: string; address: string | null }
  /** 32 bytes; messages of one conversation to one endpoint are sent one after the other. */
  conversation: Uint8Array
  /** Not to be stored by the network where it has a choice. */
  ephemeral: boolean
  /** No notification where the network has a choice. */
  silent: boolean
  /** 1 for the first try. */
  attempt: number
}

/**
 * What the network answered. `remoteIds` are the network's ids of the message, each of which may come back in an echo.
 * `pending` says that the id comes later with an echo that carries the transaction id.
 */
export type Receipt = { remoteIds: string[] } | { pending: string }

/** One frame heard on the network. */
export interface Inbound {
  frame: Uint8Array
  /** The network's own id of the message; the same when the network delivers it again. */
  remoteId: string
  /** Address that it was sent to on this network; an endpoint with this address has it already. */
  to: string | null
  /** Address that it was sent from, as far as the network says. A hint: the envelope's signature decides. */
  from: string | null
  via: 'stream' | 'history' | 'webhook'
  /** The network's own time of the message, Unix milliseconds, where it has one. */
  remoteTime: number | null
  /** The transaction id it carried, if it is one of ours. */
  transactionId: string | null
}

/**
 * What became of an inbound frame. In every case the adapter may acknowledge it upstream: the frame is durable, was
 * known before, or will never be taken. A rejected `deliver` means that it is not durable: do not acknowledge.
 */
export type DeliverResult =
  | { outcome: 'accepted' | 'duplicate' | 'echo'; id: string }
  | { outcome: 'refused'; code: string }

/** `userAction` tells an operator what to do, where something must be done. */
export interface StateReport {
  state: AdapterState
  /** One sentence for operators. No secrets. */
  reason?: string
  userAction?: string
}

export type AdapterState =
  | 'starting'
  | 'connecting'
  | 'backfilling'
  | 'connected'
  | 'transientDisconnect'
  | 'badCredentials'
  | 'loggedOut'
  | 'stopped'

/** Checks the definition's shape and returns it, typed. */
export function defineAdapter<Schema extends z.ZodType>(
  definition: AdapterDefinition<Schema>,
): AdapterDefinition<Schema> {
  if (!/^[a-z][a-z0-9-]{1,31}$/.test(definition.manifest.network)) {
    throw new TypeError('manifest.network must be 2 to 32 lower-case letters, digits or hyphens')
  }
  if (definition.manifest.specVersion !== 1) {
    throw new TypeError('manifest.specVersion must be 1, the only version of the adapter contract')
  }
  return definition
}
