/** Wallets, devices and envelopes that are the same in every run, so that a printed input can be decoded again. */
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { Wallet } from 'ethers/wallet'
import {
  directConversation,
  type EnvelopeHeader,
  FLAGS,
  H,
  type InnerContent,
  keyIdentifier,
  type OpeningKey,
  type SignEd25519,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  utf8Encode,
} from '../../../src/envelope/index.ts'
import { requireKeyWrapSuite } from '../../../src/envelope/suites.ts'
import {
  type Account,
  composeMessage,
  DEVICE_CAPABILITIES,
  encodeKeyEntry,
  type KeyEntry,
  keyEntryHash,
  NO_ENTRY,
  parseAccount,
  type SignedKeyEntry,
  walletKeyOf,
} from '../../../src/identity/index.ts'

export const DOMAIN = 'gateway.example'
export const START = Date.UTC(2026, 0, 15, 12)
export const DAY_MS = 24 * 60 * 60 * 1000

export interface Person {
  signer: Wallet
  account: Account
  wallet: string
  device: { publicKey: Uint8Array; label: string }
  devicePrivateKey: Uint8Array
  sign: SignEd25519
  /** By suite. */
  encryption: Map<number, { publicKey: Uint8Array; openingKey: OpeningKey }>
}

/** Bytes that follow from the label. At most 32. */
export function fixed(label: string, length: number): Uint8Array {
  return H('causeway/fuzz/1', label).slice(0, length)
}

export async function createPerson(name: string): Promise<Person> {
  const signer = new Wallet(`0x${Buffer.from(fixed(`${name} wallet`, 32)).toString('hex')}`)
  const account = parseAccount(`eip155:1:${signer.address}`)
  const devicePrivateKey = fixed(`${name} device`, 32)
  const secret = fixed(`${name} encryption`, 32)
  const { kem } = requireKeyWrapSuite(SUITE.xwing).hpke
  const xwing = await kem.deriveKeyPair(secret)
  const xwingPublic = new Uint8Array(await kem.serializePublicKey(xwing.publicKey))
  const xwingPrivate = new Uint8Array(await kem.serializePrivateKey(xwing.privateKey))
  const openingPair = (publicKey: Uint8Array, privateKey: Uint8Array) => ({
    publicKey,
    openingKey: { keyId: keyIdentifier(publicKey), privateKey },
  })
  return {
    signer,
    account,
    wallet: walletKeyOf(account),
    device: { publicKey: ed25519.getPublicKey(devicePrivateKey), label: `Laptop of ${name}` },
    devicePrivateKey,
    sign: signerFromDeviceKey(devicePrivateKey),
    encryption: new Map([
      [SUITE.x25519, openingPair(x25519.getPublicKey(secret), secret)],
      [SUITE.xwing, openingPair(xwingPublic, xwingPrivate)],
    ]),
  }
}

export function contentFor(text: string, changes: Partial<InnerContent> = {}): InnerContent {
  return {
    salt: fixed(`salt of ${text}`, 16),
    replaces: null,
    topicId: new Uint8Array(),
    expires: null,
    inReplyTo: null,
    contentType: 'xmtp.org/text:1.0',
    parameters: { encoding: 'UTF-8' },
    fallback: null,
    content: utf8Encode(text),
    ...changes,
  }
}

export function headerFor(
  sender: Person,
  recipients: readonly Person[],
  changes: Partial<EnvelopeHeader> = {},
): Omit<EnvelopeHeader, 'version'> {
  return {
    suite: SUITE.x25519,
    from: sender.wallet,
    device: sender.device.publicKey,
    to: recipients.map(({ wallet }) => wallet),
    conversation: directConversation(sender.wallet, recipients[0]?.wallet ?? sender.wallet),
    contentType: 'xmtp.org/text:1.0',
    created: START,
    ttl: 0,
    nonce: fixed('nonce', 16),
    replyTo: null,
    flags: 0,
    ext: {},
    ...changes,
  }
}

export interface TestEnvelope {
  id: Uint8Array
  bytes: Uint8Array
}

/** Envelopes of every suite, with one wrap and with many, with extensions and without. */
export async function testEnvelopes(sender: Person, recipients: readonly Person[]): Promise<TestEnvelope[]> {
  const seal = (changes: Partial<EnvelopeHeader>, text: string, wrapFor: readonly Person[]) => {
    const header = headerFor(sender, recipients, { nonce: fixed(text, 16), ...changes })
    const keys = wrapFor.flatMap(({ encryption }) => encryption.get(header.suite) ?? [])
    let drawn = 0
    const random = (length: number) => {
      const blocks = Array.from({ length: Math.ceil(length / 32) }, () => fixed(`${text} ${drawn++}`, 32))
      return Uint8Array.from(blocks.flatMap((block) => [...block])).slice(0, length)
    }
    return sealEnvelope({ header, content: contentFor(text), recipients: keys, sign: sender.sign }, random)
  }
  const everyone = [...recipients, sender]
  return [
    await seal({}, 'one wrap', recipients.slice(0, 1)),
    await seal({ ttl: 3600, flags: FLAGS.silent, replyTo: fixed('earlier', 32) }, 'all wraps', everyone),
    await seal({ ext: { 'example.org/mood': ['calm', 1, null, { deep: [true] }] } }, 'extended', everyone),
    await seal({ suite: SUITE.none, to: [], flags: FLAGS.ephemeral }, 'public', []),
    await seal({ suite: SUITE.xwing }, 'post-quantum', recipients.slice(0, 1)),
    await seal({ flags: FLAGS.hop, ext: { gateway: 'g1', network: 'xmtp', remote: 'abc' } }, 'hop', everyone),
  ]
}

/** A key log of `add` and `revoke` steps. */
export async function keyLogOf(
  owner: Person,
  steps: readonly { action: 'add' | 'revoke'; device: Person['device'] }[],
): Promise<SignedKeyEntry[]> {
  const log: SignedKeyEntry[] = []
  for (const { action, device } of steps) {
    const last = log.at(-1)
    const notBefore = START + log.length * 1000
    const entry: KeyEntry = {
      wallet: owner.wallet,
      seq: log.length,
      prev: last === undefined ? NO_ENTRY : keyEntryHash(last.entry),
      action,
      device,
      notBefore,
      notAfter: notBefore + 30 * DAY_MS,
      capabilities: action === 'add' ? [...DEVICE_CAPABILITIES] : [],
      addresses: {},
      recovery: null,
      salt: fixed(`${owner.wallet} ${log.length}`, 16),
    }
    log.push(await signEntry(owner, encodeKeyEntry(entry)))
  }
  return log
}

export async function signEntry(owner: Person, entry: Uint8Array): Promise<SignedKeyEntry> {
  const message = composeMessage({ domain: DOMAIN, account: owner.account, entry })
  const account = `eip155:1:${owner.account.address}`
  return { entry, signature: await owner.signer.signMessage(message), account, domain: DOMAIN }
}
