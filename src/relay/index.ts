/** The relay: takes envelopes in, keeps them, and carries them to every endpoint by its route. */

export { type AdmissionLimits, createAdmission } from './admission.ts'
export { IDS_KEPT_MS } from './checks.ts'
export { peerIn } from './conversations.ts'
export { RelayError, type RelayErrorCode } from './errors.ts'
export { createNetworks, type NetworkSetup, type NetworksOptions } from './networks.ts'
export {
  type Admission,
  AdmissionError,
  type AdmissionRequest,
  type RelayParts,
  type Stranger,
} from './parts.ts'
export { createRelay } from './relay.ts'
export { transactionIdOf } from './route.ts'
export { createSignatureVerifier } from './signatures.ts'
export type * from './types.ts'
export { createWaker, type Waker } from './wake.ts'
