/** What the enrolment part offers to the rest of the gateway, and what it asks for. */
import type {
  AdapterLog,
  AdapterState,
  Clock,
  DeliverResult,
  EnrolledAccount,
  EnrolmentFacet,
  EnrolmentReport,
  EnrolmentRevocation,
  NativeInbound,
  Random,
} from '../adapter/index.ts'
import type { Custody } from '../custody.ts'
import type { VerifyEd25519 } from '../envelope/index.ts'
import type { SignedConsent } from '../identity/index.ts'
import type { DeviceTrust, Session } from '../identity/types.ts'
import type { Networks } from '../relay/types.ts'
import type { EnrolmentStore } from '../store/port.ts'

export interface EnrolmentSettings {
  /** Enrolments that a wallet may have, begun ones included. */
  maxPerWallet: number
  /** Enrolments of everyone. */
  maxTotal: number
  /** Connections to networks at a time; the ones used least lately are closed. */
  maxOpen: number
  /** Connections that are being opened at a time. */
  maxOpening: number
  /** Without traffic for this long, an enrolment is closed until its next wake. Milliseconds. */
  idleCloseMs: number
  /** A closed one is opened and read this often. Milliseconds. */
  wakeIntervalMs: number
  /** An open one is walked this often, for what its stream lost. Milliseconds. */
  walkIntervalMs: number
  /** How far a walk starts before the last one. Milliseconds. */
  walkOverlapMs: number
  /** How long a text waits for its signature. Milliseconds. */
  completeWithinMs: number
}

/** The gateway as enrolments know it. */
export interface EnrolmentGateway {
  id: string
  /** Ed25519 key of its device. */
  device: Uint8Array
  /** X25519 private key, for what clients hand over. */
  encryptionKey: Uint8Array
}

export interface EnrolmentParts {
  gateway: EnrolmentGateway
  store: EnrolmentStore
  networks: Networks
  trust: DeviceTrust
  custody: Custody
  verify: VerifyEd25519
  clock: Clock
  random: Random
  log: AdapterLog
  settings: EnrolmentSettings
  /** Takes a message that a walk has read: the relay's `hearNative`. */
  deliver(network: string, inbound: NativeInbound): Promise<DeliverResult>
}

/** An active enrolment, without its secret. */
export interface ActiveEnrolment {
  id: string
  wallet: string
  network: string
  account: EnrolledAccount
  address: string
  consent: SignedConsent
  /** Device that consented. */
  device: Uint8Array
  expiresAt: number
}

export interface BegunEnrolment {
  id: string
  network: string
  /** What the wallet has to sign. */
  text: string
  expiresAt: number
}

/** What is known of an enrolment's connection. `closed`: idle; it is opened when it is needed. */
export interface Connection {
  state: AdapterState | 'closed'
  reason?: string
  userAction?: string
}

/** An enrolment as its wallet sees it. */
export interface EnrolmentView {
  id: string
  network: string
  state: 'active' | 'ended'
  address: string | null
  /** `closed`: idle; it is opened when it is needed. Null when it has ended. */
  connection: AdapterState | 'closed' | null
  reason: string | null
  userAction: string | null
  meaning: string
  consent: SignedConsent
  createdAt: number
  expiresAt: number
  endedAt: number | null
}

/** What the relay asks of enrolments. */
export interface EnrolmentDirectory {
  get(id: string): ActiveEnrolment | null
  /** The wallet's enrolment on a network. */
  of(wallet: string, network: string): ActiveEnrolment | null
  /** Opens it, if need be, and keeps it open until `work` has ended. Rejects with `AdapterError`. */
  use<T>(id: string, signal: AbortSignal, work: (facet: EnrolmentFacet) => Promise<T>): Promise<T>
  /** It has heard something: it is not idle. */
  touched(id: string): void
  /** Whether it may be believed and served now: its consent holds and its device was not revoked. Ends it otherwise. */
  holds(id: string): Promise<boolean>
}

export interface Enrolments extends EnrolmentDirectory {
  begin(
    session: Session,
    network: string,
    consent: SignedConsent,
    signal: AbortSignal,
  ): Promise<BegunEnrolment>
  complete(
    session: Session,
    network: string,
    id: string,
    completion: { signature: string; chainId: number | null; handover: Uint8Array | null },
    signal: AbortSignal,
  ): Promise<EnrolmentView>
  list(wallet: string): Promise<EnrolmentView[]>
  revoke(wallet: string, network: string, id: string, signal: AbortSignal): Promise<EnrolmentRevocation>
  report(network: string, id: string, report: EnrolmentReport): void
  start(): Promise<void>
  stop(): Promise<void>
}
