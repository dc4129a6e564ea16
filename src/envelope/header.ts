import { decodeCanonical, encodeCanonical, isPlainObject } from './cbor.ts'
import { EnvelopeError, translateCodes } from './errors.ts'
import { H } from './hash.ts'
import { LIMITS } from './limits.ts'
import { isWalletKey } from './wallet.ts'

/** Cipher suites of version 1. Other numbers are carried by gateways and not opened. */
export const SUITE = {
  /** Not encrypted, still signed: public channels. */
  none: 0,
  /** HPKE base mode, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. */
  x25519: 1,
  /** HPKE base mode, X-Wing (X25519 with ML-KEM-768), HKDF-SHA256, ChaCha20-Poly1305. */
  xwing: 2,
} as const

/** Bits of `flags`. The other bits must be zero in version 1. */
export const FLAGS = {
  /** Not worth storing: typing notices and the like. */
  ephemeral: 1,
  /** No notification for the recipient. */
  silent: 2,
  /** Re-sealed by a gateway that the recipient enrolled: attested by the gateway, not signed by the sender. */
  hop: 4,
} as const

const KNOWN_FLAGS = FLAGS.ephemeral | FLAGS.silent | FLAGS.hop
const CONTENT_TYPE =
  /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}\/[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}:(?:0|[1-9][0-9]{0,4})\.(?:0|[1-9][0-9]{0,4})$/

/** The signed, readable part of an envelope. Relays see it; nobody can change it. */
export interface EnvelopeHeader {
  version: 1
  /** One of {@link SUITE}, or a number of a later version. */
  suite: number
  /** Wallet key of the sender; with the hop flag, of the native sender. */
  from: string
  /** Ed25519 public key (32 bytes) of the device that signs. */
  device: Uint8Array
  /** Wallet keys of the recipients, each once. At least one in suites 1 and 2. */
  to: string[]
  /** 32 bytes from {@link directConversation} or {@link groupConversation}. */
  conversation: Uint8Array
  /** `authority/type:major.minor`, for example `xmtp.org/text:1.0`. */
  contentType: string
  /** Milliseconds since 1970 as the sender claims. */
  created: number
  /** Seconds after `created` at which the envelope lapses; 0 = never. */
  ttl: number
  /** 16 random bytes: two envelopes with equal content have different ids. */
  nonce: Uint8Array
  /** Id (32 bytes) of the envelope that this one answers, or null. */
  replyTo: Uint8Array | null
  /** Sum of {@link FLAGS}. */
  flags: number
  /** Signed extensions, small and flat. */
  ext: Record<string, unknown>
}

/** Whether the text has the form `authority/type:major.minor` (XMTP's ContentTypeId as text). */
export function isContentType(text: string): boolean {
  return CONTENT_TYPE.test(text)
}

/** Encodes a header. Errors: `envelope-header-invalid`, `envelope-version-unsupported`. */
export function encodeHeader(header: EnvelopeHeader): Uint8Array {
  checkHeader(header)
  const bytes = encodeCanonical([
    header.version,
    header.suite,
    header.from,
    header.device,
    header.to,
    header.conversation,
    header.contentType,
    header.created,
    header.ttl,
    header.nonce,
    header.replyTo,
    header.flags,
    header.ext,
  ])
  if (bytes.length > LIMITS.headerBytes) {
    throw invalid(`takes ${bytes.length} bytes, the limit is ${LIMITS.headerBytes}; address fewer recipients`)
  }
  return bytes
}

/**
 * Decodes a header and checks every field. Errors: `envelope-header-invalid`, `envelope-version-unsupported`,
 * `envelope-not-canonical`.
 */
export function decodeHeader(bytes: Uint8Array): EnvelopeHeader {
  const value = translateCodes(
    { 'envelope-malformed': 'envelope-header-invalid', 'envelope-too-large': 'envelope-header-invalid' },
    () => decodeCanonical(bytes, { maxBytes: LIMITS.headerBytes, maxDepth: 1 + LIMITS.extDepth }),
  )
  if (!Array.isArray(value)) throw invalid('is not an array')
  if (value[0] !== 1) {
    throw new EnvelopeError(
      'envelope-version-unsupported',
      'Only envelope version 1 is supported; update this software',
    )
  }
  if (value.length !== 13) throw invalid(`has ${value.length} elements instead of 13`)
  const [
    version,
    suite,
    from,
    device,
    to,
    conversation,
    contentType,
    created,
    ttl,
    nonce,
    replyTo,
    flags,
    ext,
  ] = value
  const header = {
    version,
    suite,
    from,
    device,
    to,
    conversation,
    contentType,
    created,
    ttl,
    nonce,
    replyTo,
    flags,
    ext,
  }
  checkHeader(header)
  return header
}

function checkHeader(header: Record<keyof EnvelopeHeader, unknown>): asserts header is EnvelopeHeader {
  const { suite, from, to, contentType, flags, ext } = header
  if (header.version !== 1)
    throw new EnvelopeError('envelope-version-unsupported', 'Only envelope version 1 can be written')
  if (!isCount(suite, 0xffff)) throw invalid('suite must be an integer from 0 to 65535')
  if (typeof from !== 'string' || !isWalletKey(from))
    throw invalid('from must be a wallet key in its exact form')
  if (!isBytes(header.device, 32)) throw invalid('device must be 32 bytes')
  if (
    !Array.isArray(to) ||
    to.length > LIMITS.recipients ||
    !to.every((key) => typeof key === 'string' && isWalletKey(key))
  ) {
    throw invalid(`to must be up to ${LIMITS.recipients} wallet keys in their exact form`)
  }
  if (new Set(to).size !== to.length) throw invalid('to must name each wallet once')
  if (to.length === 0 && (suite === SUITE.x25519 || suite === SUITE.xwing))
    throw invalid('to must name a recipient')
  if (!isBytes(header.conversation, 32)) throw invalid('conversation must be 32 bytes')
  if (typeof contentType !== 'string' || !isContentType(contentType))
    throw invalid('contentType must be authority/type:major.minor')
  if (!isCount(header.created, Number.MAX_SAFE_INTEGER))
    throw invalid('created must be milliseconds since 1970')
  if (!isCount(header.ttl, 0xffffffff)) throw invalid('ttl must be seconds, 0 for none')
  if (!isBytes(header.nonce, 16)) throw invalid('nonce must be 16 bytes')
  if (header.replyTo !== null && !isBytes(header.replyTo, 32))
    throw invalid('replyTo must be 32 bytes or null')
  if (!isCount(flags, KNOWN_FLAGS)) throw invalid('flags holds a bit that version 1 does not define')
  checkExtensions(ext)
}

function checkExtensions(ext: unknown): void {
  if (!isPlainObject(ext)) throw invalid('ext must be a map')
  if (Object.keys(ext).length === 0) return
  const bytes = translateCodes({ 'value-not-encodable': 'envelope-header-invalid' }, () =>
    encodeCanonical(ext),
  )
  translateCodes(
    { 'envelope-malformed': 'envelope-header-invalid', 'envelope-too-large': 'envelope-header-invalid' },
    () => decodeCanonical(bytes, { maxBytes: LIMITS.extBytes, maxDepth: LIMITS.extDepth }),
  )
}

/** Conversation id of two wallets: the same whoever writes. Order does not matter. */
export function directConversation(walletA: string, walletB: string): Uint8Array {
  const [first, second] = walletA < walletB ? [walletA, walletB] : [walletB, walletA]
  return H('causeway/dm/1', requireWalletKey(first), requireWalletKey(second))
}

/** Conversation id of a group: `nonce` is at least 16 bytes that tell it from the creator's other groups. */
export function groupConversation(creator: string, nonce: Uint8Array): Uint8Array {
  if (nonce.length < 16) throw invalid('the group nonce must be at least 16 bytes')
  return H('causeway/group/1', requireWalletKey(creator), nonce)
}

/** Whether the value is a byte string of exactly `length` bytes. */
export function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

/** Whether the value is an integer from 0 to `most`. */
export function isCount(value: unknown, most: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
}

function requireWalletKey(text: string): string {
  if (!isWalletKey(text)) throw invalid('a conversation needs wallet keys in their exact form')
  return text
}

function invalid(reason: string): EnvelopeError {
  return new EnvelopeError('envelope-header-invalid', `The envelope header is invalid: ${reason}`)
}
