/** Wallets for benchmarks, and envelopes that they signed. */
import { createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { Wallet } from 'ethers'
import { signatureInput, wrapDigest } from '../envelope/digests.ts'
import {
  directConversation,
  encodeCanonical,
  encodeHeader,
  generateDeviceKey,
  SUITE,
  toBase64url,
} from '../envelope/index.ts'
import { BODY_OVERHEAD_BYTES } from '../envelope/sealed.ts'

/** DER of a PKCS #8 Ed25519 key up to the 32-byte seed (RFC 8410 section 7). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

export interface Person {
  wallet: string
  signer: Wallet | ReturnType<typeof Wallet.createRandom>
  device: Uint8Array
  deviceKey: KeyObject
  /** Bearer token, once signed in. */
  token: string
}

export function createPerson(): Person {
  const signer = Wallet.createRandom()
  const { publicKey, privateKey } = generateDeviceKey()
  const deviceKey = createPrivateKey({
    key: Buffer.concat([PKCS8_PREFIX, privateKey.subarray(0, 32)]),
    format: 'der',
    type: 'pkcs8',
  })
  return {
    wallet: `eip155:*:${signer.address.toLowerCase()}`,
    signer,
    device: publicKey,
    deviceKey,
    token: '',
  }
}

/** Signs a wallet in at a gateway over HTTP. */
export async function signIn(url: string, person: Person): Promise<void> {
  const challenge = await post(url, '/v1/auth/challenge', {
    wallet: `eip155:1:${person.signer.address}`,
    device: { publicKey: toBase64url(person.device), label: 'benchmark' },
  })
  const signature = await person.signer.signMessage(challenge.message ?? '')
  const { token } = await post(url, '/v1/auth/verify', { challengeId: challenge.challengeId, signature })
  person.token = token ?? ''
}

/** People who have signed in. */
export async function signInPeople(url: string, count: number): Promise<Person[]> {
  const people = Array.from({ length: count }, createPerson)
  for (const person of people) await signIn(url, person)
  return people
}

async function post(url: string, path: string, body: unknown): Promise<Record<string, string>> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as Record<string, string>
}

/**
 * An envelope of suite 1 with two wraps, as clients send it: body of `bucket` bytes with its overhead, signature valid. Body and
 * wraps are random instead of encrypted, which nobody without the recipient's key can tell apart.
 */
export function makeEnvelope(from: Person, to: string, bucket = 1024, created = Date.now()): Uint8Array {
  const headerBytes = encodeHeader({
    version: 1,
    suite: SUITE.x25519,
    from: from.wallet,
    device: from.device,
    to: [to],
    conversation: directConversation(from.wallet, to),
    contentType: 'xmtp.org/text:1.0',
    created,
    ttl: 0,
    nonce: bytes(16),
    replyTo: null,
    flags: 0,
    ext: {},
  })
  const body = bytes(bucket + BODY_OVERHEAD_BYTES)
  const wraps = [0, 1].map(() => ({ keyId: bytes(16), encapsulation: bytes(32), wrappedKey: bytes(48) }))
  const wrapDigests = wraps.map(wrapDigest)
  const signature = new Uint8Array(sign(null, signatureInput(headerBytes, body, wrapDigests), from.deviceKey))
  const wrapValues = wraps.map(({ keyId, encapsulation, wrappedKey }) => [keyId, encapsulation, wrappedKey])
  return encodeCanonical([headerBytes, body, wrapValues, wrapDigests, signature])
}

function bytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}
