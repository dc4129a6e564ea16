/**
 * The envelope, version 1: header, canonical encoding, identity, sealing, signature and frame. Pure functions over bytes; runs
 * unchanged in browsers. The format is specified in docs/reference/envelope-v1.md.
 */
export {
  base32Lower,
  concatBytes,
  equalBytes,
  fromBase64url,
  fromHex,
  toBase64url,
  toHex,
  utf8Decode,
  utf8Encode,
} from './bytes.ts'
export { type CanonicalLimits, decodeCanonical, encodeCanonical } from './cbor.ts'
export { decodeContent, encodeContent, type InnerContent } from './content.ts'
export { envelopeId, keyIdentifier, type Wrap } from './digests.ts'
export {
  generateDeviceKey,
  type SignEd25519,
  signerFromDeviceKey,
  type VerifyEd25519,
  verifyEd25519,
} from './ed25519.ts'
export { EnvelopeError, type EnvelopeErrorCode } from './errors.ts'
export {
  decodeFrame,
  encodeFrame,
  FRAME_KIND,
  type Frame,
  frameForEnvelope,
  type Hop,
  opaqueIdentifier,
  type RelayMode,
  withHop,
} from './frame.ts'
export { H, type Sha256, useSha256 } from './hash.ts'
export {
  decodeHeader,
  directConversation,
  type EnvelopeHeader,
  encodeHeader,
  FLAGS,
  groupConversation,
  isContentType,
  SUITE,
} from './header.ts'
export {
  encodeHopOrigin,
  encodeHopRequest,
  type HopOrigin,
  type HopRequest,
  isHop,
  MAX_NATIVE_ID,
  nativeGroupConversation,
  nativeSender,
  readHopOrigin,
  readHopRequest,
} from './hop.ts'
export { LIMITS } from './limits.ts'
export { type OpeningKey, openSealed } from './open.ts'
export { PADDING_BUCKETS, padContent, unpadContent } from './padding.ts'
export { commonSuite, type DeviceKeys, keysOfSuite } from './recipients.ts'
export { type RandomSource, type SealInput, sealEnvelope } from './seal.ts'
export {
  decodeSealed,
  mergeWraps,
  type SealedEnvelope,
  signedBytes,
  stripWraps,
  verifySealed,
} from './sealed.ts'
export { MAX_SECRET_BYTES, openSecret, sealSecret } from './secret.ts'
export { deriveEncryptionKeyPair, generateEncryptionKeyPair } from './suites.ts'
export { isWalletKey } from './wallet.ts'
