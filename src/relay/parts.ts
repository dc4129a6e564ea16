/** What the relay is assembled from. */
import type { AdapterLog, Clock, Random } from '../adapter/index.ts'
import type { VerifyEd25519 } from '../envelope/index.ts'
import type { DeviceTrust, Directory } from '../identity/types.ts'
import type { Store } from '../store/port.ts'
import type { Consents } from './consent.ts'
import type { HopParts } from './hop.ts'
import type { LivePublisher, Networks, RelayObserver, RelaySettings } from './types.ts'

export interface RelayParts {
  /** This gateway's id, as it stands in hop traces. */
  gateway: string
  store: Store
  trust: DeviceTrust
  directory: Directory
  networks: Networks
  live: LivePublisher
  clock: Clock
  random: Random
  log: AdapterLog
  settings: RelaySettings
  /** Default: {@link createSignatureVerifier}. */
  verify?: VerifyEd25519
  /** Default: everyone is admitted. */
  admission?: Admission
  /** Hop mode. Default: nobody is enrolled. */
  hop?: HopParts | null
  /** Keeps the registrations of mirrors. Default: none, and mirrors are refused. */
  vault?: Vault
  /** Default: nobody is told. */
  observer?: RelayObserver
}

/** Encrypts secrets of wallets before they are stored, under the gateway's master key. */
export interface Vault {
  wrap(secret: Uint8Array, purpose: VaultPurpose): Uint8Array
  /** Throws where the ciphertext, the purpose or the key is another. `stale`: wrapped by an earlier key; wrap it anew. */
  unwrap(wrapped: Uint8Array, purpose: VaultPurpose): { secret: Uint8Array; stale: boolean }
}

/** Bound to the ciphertext: what was wrapped for one is of no use for another. */
export interface VaultPurpose {
  id: string
  network: string
}

/** Consent and rate, decided before anything is kept. Both throw `AdmissionError` to refuse. */
export interface Admission {
  /** After the signature. */
  admit(envelope: AdmissionRequest): Promise<void> | void
  /**
   * Before the certificate of a stranger is verified, which is the costly step that a stranger can ask for. Nothing that the
   * stranger says of itself is proved then.
   */
  examine?(stranger: Stranger): Promise<void> | void
}

/** Whoever sends over a network and has not signed in here. */
export interface Stranger {
  from: string
  /** 32 bytes. */
  device: Uint8Array
  certificate: Uint8Array | null
  /** Network over which the frame came. */
  via: string
}

export interface AdmissionRequest {
  from: string
  /** Recipients that this gateway would deliver to. */
  to: readonly string[]
  /** `http`, `socket` or a network. */
  via: string
  bytes: number
  /** Null for a sender who is served here, or who posts. */
  stranger: Stranger | null
}

/** Refuses an envelope by its sender, recipients or rate. `code` is stable and reaches the client as it is. */
export class AdmissionError extends Error {
  override readonly name = 'AdmissionError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** All parts, with the defaults filled in, and what the parts of the relay share. */
export type RelayContext = Required<RelayParts> & { consents: Consents }
