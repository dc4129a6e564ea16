import { randomBytes } from '@noble/hashes/utils.js'
import {
  directConversation,
  type EnvelopeHeader,
  generateDeviceKey,
  generateEncryptionKeyPair,
  type InnerContent,
  keyIdentifier,
  type OpeningKey,
  type SignEd25519,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  toHex,
  utf8Encode,
} from '../index.ts'

/** A wallet with one device and one encryption key, as tests need it. */
export interface Person {
  wallet: string
  device: Uint8Array
  sign: SignEd25519
  suite: number
  publicKey: Uint8Array
  openingKey: OpeningKey
}

/** A person with fresh random keys. */
export async function createPerson(suite: number = SUITE.x25519): Promise<Person> {
  const device = generateDeviceKey()
  const { publicKey, privateKey } = await generateEncryptionKeyPair(
    suite === SUITE.none ? SUITE.x25519 : suite,
  )
  return {
    wallet: `eip155:*:0x${toHex(randomBytes(20))}`,
    device: device.publicKey,
    sign: signerFromDeviceKey(device.privateKey),
    suite,
    publicKey,
    openingKey: { keyId: keyIdentifier(publicKey), privateKey },
  }
}

/** A valid header from one person to another. */
export function headerFor(
  sender: Person,
  recipient: Person,
  change: Partial<EnvelopeHeader> = {},
): Omit<EnvelopeHeader, 'version'> {
  return {
    suite: sender.suite,
    from: sender.wallet,
    device: sender.device,
    to: [recipient.wallet],
    conversation: directConversation(sender.wallet, recipient.wallet),
    contentType: 'xmtp.org/text:1.0',
    created: 1_770_000_000_000,
    ttl: 0,
    nonce: randomBytes(16),
    replyTo: null,
    flags: 0,
    ext: {},
    ...change,
  }
}

/** Text as inner content. */
export function textContent(text: string, change: Partial<InnerContent> = {}): InnerContent {
  return {
    salt: randomBytes(16),
    replaces: null,
    topicId: new Uint8Array(),
    expires: null,
    inReplyTo: null,
    contentType: 'xmtp.org/text:1.0',
    parameters: { encoding: 'UTF-8' },
    fallback: null,
    content: utf8Encode(text),
    ...change,
  }
}

/** Seals a text from one person to another and to the sender's own key. */
export function sealText(
  sender: Person,
  recipient: Person,
  text: string,
  change: Partial<EnvelopeHeader> = {},
): Promise<{ id: Uint8Array; bytes: Uint8Array }> {
  return sealEnvelope({
    header: headerFor(sender, recipient, change),
    content: textContent(text),
    recipients: sender.suite === SUITE.none ? [] : [recipient, sender],
    sign: sender.sign,
  })
}

/** A copy of the bytes with one bit turned; `bit` counts from the first byte's lowest. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** Runs `action` and returns the code that it was refused with; any other outcome is returned as text. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action()
    return 'accepted'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.name === 'EnvelopeError') return String(error.code)
    return `untyped: ${String(error)}`
  }
}
