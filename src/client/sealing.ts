/** From a message to the bytes that travel. */
import { randomBytes } from '@noble/hashes/utils.js'
import {
  directConversation,
  type EnvelopeHeader,
  encodeFrame,
  FLAGS,
  frameForEnvelope,
  fromHex,
  groupConversation,
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
/**
 * An X-Wing wrap takes 1.2 KB. With more wraps than this an envelope outgrows the smallest message of the networks
 * (TRTC: 12 KB after base64), so that X25519 is used.
 */
const MAX_XWING_WRAPS = 4

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
}): Promise<SealedMessage> {
  const { message, to, from, keyring, peers } = input
  const devices = peers.flatMap((peer) => reachable(peer, from))
  const suite = chooseSuite(devices)
  const content = contentOf(message)
  const header: Omit<EnvelopeHeader, 'version'> = {
    suite,
    from,
    device: keyring.device.publicKey,
    to,
    conversation: conversationOf(from, to),
    contentType: content.contentType,
    created: input.now,
    ttl: message.ttlSeconds ?? DEFAULT_TTL_SECONDS,
    nonce: randomBytes(16),
    replyTo: message.replyTo === undefined ? null : fromHex(message.replyTo),
    flags: (message.ephemeral ? FLAGS.ephemeral : 0) | (message.silent ? FLAGS.silent : 0),
    ext: {},
  }
  const { id, bytes } = await sealEnvelope({
    header,
    content: {
      salt: randomBytes(16),
      replaces: null,
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: header.replyTo,
      contentType: content.contentType,
      parameters: content.parameters ?? {},
      fallback: content.fallback ?? null,
      content: content.bytes,
    },
    recipients: devices.map((device) => ({ publicKey: prekeyOf(device, suite) })),
    sign: signerFromDeviceKey(keyring.device.privateKey),
  })
  return { id: toHex(id), sealed: bytes, frame: encodeFrame(frameForEnvelope(bytes, input.certificate)) }
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
  const all = (suite: number) =>
    devices.every(({ prekeys }) => prekeys.some((prekey) => prekey.suite === suite))
  if (devices.length <= MAX_XWING_WRAPS && all(SUITE.xwing)) return SUITE.xwing
  if (all(SUITE.x25519)) return SUITE.x25519
  throw new ClientError('peer-unreachable', 'The devices of the recipients have no kind of key in common')
}

function prekeyOf(device: PeerDevice, suite: number): Uint8Array {
  const prekey = device.prekeys.find((candidate) => candidate.suite === suite)
  if (!prekey)
    throw new ClientError('peer-unreachable', 'A device of the recipient has no key of the chosen suite')
  return prekey.publicKey
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
