/** From a message to the bytes that travel. */
import { randomBytes } from '@noble/hashes/utils.js'
import {
  commonSuite,
  directConversation,
  type EnvelopeHeader,
  encodeFrame,
  encodeHopRequest,
  FLAGS,
  frameForEnvelope,
  fromHex,
  groupConversation,
  type HopRequest,
  keysOfSuite,
  nativeGroupConversation,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  toHex,
  utf8Encode,
} from '../envelope/index.ts'
import type { Peer, PeerDevice } from './directory.ts'
import { ClientError } from './errors.ts'
import type { Keyring } from './keyring.ts'
import type { OutgoingMessage, SealedMessage } from './types.ts'

export const TEXT_TYPE = 'xmtp.org/text:1.0'
const DEFAULT_TTL_SECONDS = 30 * 86_400
export interface HopSealing {
  request: HopRequest
  /** X25519 key of the gateway. */
  encryptionKey: Uint8Array
}

/** Seals to every device of every recipient, and to the sender's other devices. */
export async function sealMessage(input: {
  message: OutgoingMessage
  /** walletKeys */
  to: string[]
  from: string
  keyring: Keyring
  certificate: Uint8Array | null
  /** Recipients, and the sender itself. */
  peers: Peer[]
  now: number
  /** In hop mode: what is asked of the gateway, and its key. Peers are then this wallet alone. */
  hop?: HopSealing
}): Promise<SealedMessage> {
  const { message, to, from, keyring, peers, hop } = input
  const devices = peers.flatMap((peer) => reachable(peer, from))
  const trust = peers.every(({ log }) => log.trust === 'verified') ? 'verified' : 'gateway'
  // The gateway's key is of the first suite.
  const suite = hop ? SUITE.x25519 : chooseSuite(devices)
  const content = contentOf(message)
  const header: Omit<EnvelopeHeader, 'version'> = {
    suite,
    from,
    device: keyring.device.publicKey,
    to,
    conversation: hop ? hopConversation(from, to, hop) : conversationOf(from, to),
    contentType: content.contentType,
    created: input.now,
    ttl: message.ttlSeconds ?? DEFAULT_TTL_SECONDS,
    nonce: randomBytes(16),
    replyTo: message.replyTo === undefined ? null : fromHex(message.replyTo),
    flags:
      (message.ephemeral ? FLAGS.ephemeral : 0) | (message.silent ? FLAGS.silent : 0) | (hop ? FLAGS.hop : 0),
    ext: hop ? encodeHopRequest(hop.request) : {},
  }
  const { id, bytes } = await sealEnvelope({
    header,
    content: {
      salt: randomBytes(16),
      replaces: message.replaces === undefined ? null : fromHex(message.replaces),
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: header.replyTo,
      contentType: content.contentType,
      parameters: content.parameters ?? {},
      fallback: content.fallback ?? null,
      content: content.bytes,
    },
    recipients: [...keysOfSuite(devices, suite), ...(hop ? [{ publicKey: hop.encryptionKey }] : [])],
    sign: signerFromDeviceKey(keyring.device.privateKey),
  })
  const frame = encodeFrame(frameForEnvelope(bytes, input.certificate))
  return { id: toHex(id), trust, sealed: bytes, frame }
}

function reachable(peer: Peer, from: string): PeerDevice[] {
  if (peer.devices.length === 0 && peer.wallet !== from) {
    throw new ClientError(
      'peer-unreachable',
      'The recipient has no device with current keys: it never signed in at its gateway, or not for a month',
    )
  }
  return peer.devices
}

function chooseSuite(devices: PeerDevice[]): number {
  const suite = commonSuite(devices)
  if (suite !== null) return suite
  throw new ClientError('peer-unreachable', 'The devices of the recipients have no kind of key in common')
}

function contentOf(message: OutgoingMessage): NonNullable<OutgoingMessage['content']> {
  if (message.text !== undefined && message.content === undefined) {
    return { contentType: TEXT_TYPE, bytes: utf8Encode(message.text) }
  }
  if (message.content && message.text === undefined) return message.content
  throw new TypeError('give either text or content')
}

/** One peer: the pair's own conversation. Several: a group whose id follows from its members. */
function conversationOf(from: string, to: string[]): Uint8Array {
  const [peer] = to
  if (to.length === 1 && peer !== undefined) return directConversation(from, peer)
  const members = [...new Set([from, ...to])].sort()
  return groupConversation(members[0] ?? from, utf8Encode(members.join('\n')))
}

function hopConversation(from: string, to: string[], { request }: HopSealing): Uint8Array {
  const { kind, network, conversation } = request
  if (kind === 'group' && conversation !== null) return nativeGroupConversation(network, conversation)
  return directConversation(from, to[0] ?? from)
}
