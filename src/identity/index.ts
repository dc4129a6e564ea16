/**
 * Identity, the part that anyone can check alone: accounts, the text that a wallet signs, key logs, certificates, prekeys.
 * Runs unchanged in browsers, and asks nobody but the nodes of chains that it is given. The gateway's service stands in
 * `service.ts`.
 */
export {
  type Account,
  accountText,
  displayWallet,
  type Namespace,
  parseAccount,
  parseWallet,
  WALLET_KINDS,
  type WalletKind,
  walletKeyOf,
  walletKind,
  walletsNamed,
} from './caip.ts'
export {
  type CertifiedDevice,
  certificateStatus,
  decodeCertificate,
  encodeCertificate,
  fittingCertificate,
  MAX_CERTIFICATE_BYTES,
  verifyCertificate,
} from './certificate.ts'
export { ChainError, type ChainErrorCode, type ChainSettings } from './chain-rpc.ts'
export {
  type Consent,
  consentHash,
  decodeConsent,
  decodeHopCertificate,
  encodeHopCertificate,
  type HopCertificate,
  MAX_CONSENT_LIFE_MS,
  MAX_MEANING_LENGTH,
  meaningHash,
  type SignedConsent,
  signConsent,
  verifyConsent,
} from './consent.ts'
export { type ContractVerifier, createContractVerifier } from './contract-signature.ts'
export { MAX_DOMAIN_LENGTH, requireDomain } from './domain.ts'
export { IdentityError, type IdentityErrorCode } from './errors.ts'
export {
  DEVICE_CAPABILITIES,
  decodeKeyEntry,
  encodeKeyEntry,
  KEY_ACTIONS,
  KEY_ENTRY_LIMITS,
  type KeyAction,
  type KeyEntry,
  keyEntryHash,
  NO_ENTRY,
} from './key-entry.ts'
export {
  CLOCK_SKEW_MS,
  type ContractProof,
  checkPinnedHead,
  type KeyLog,
  type KeyLogHead,
  type LoggedDevice,
  readKeyLog,
  type SignedKeyEntry,
  type TrustLevel,
  verifyKeyLog,
} from './key-log.ts'
export { composeMessage } from './message.ts'
export {
  decodePrekey,
  encodePrekey,
  MAX_PREKEY_LIFE_MS,
  type Prekey,
  type SignedPrekey,
  signPrekey,
  verifyPrekey,
} from './prekey.ts'
export {
  createLenientVerifier,
  createWalletVerifier,
  type VerifyWallet,
  verifyWalletSignature,
  type WalletProof,
} from './wallet-signature.ts'
