/** What the relay is assembled from. */
import type { AdapterLog, Clock, Random } from '../adapter/index.ts'
import type { VerifyEd25519 } from '../envelope/index.ts'
import type { DeviceTrust, Directory } from '../identity/types.ts'
import type { Store } from '../store/port.ts'
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
  /** Default: nobody is told. */
  observer?: RelayObserver
}

/** Consent and rate, decided outside of the relay after the signature and before anything is kept. */
export interface Admission {
  /** Throws `AdmissionError` to refuse. */
  admit(envelope: AdmissionRequest): Promise<void> | void
}

export interface AdmissionRequest {
  from: string
  /** Recipients that this gateway would deliver to. */
  to: readonly string[]
  /** `http`, `socket` or a network. */
  via: string
  bytes: number
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

/** All parts, with the defaults filled in. */
export type RelayContext = Required<RelayParts>
