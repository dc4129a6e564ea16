/** Records for tests of stores: complete and plausible, each with fields of one's own choice. */
import { createHash } from 'node:crypto'
import type {
  AcceptRecord,
  NewDelivery,
  NewEnrolment,
  StoredChallenge,
  StoredEndpoint,
  StoredKeyEntry,
  StoredPrekey,
  StoredSession,
} from '../port.ts'

/** 32 bytes that depend on the name alone. */
export function bytesOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(name).digest())
}

export function walletOf(name: string): string {
  return `eip155:*:0x${Buffer.from(bytesOf(`wallet ${name}`))
    .toString('hex')
    .slice(0, 40)}`
}

export const alice = walletOf('alice')
export const bob = walletOf('bob')
export const carol = walletOf('carol')

/** An envelope from Alice to Bob with an inbox item for each and one delivery over `trtc` and `waku` each. */
export function acceptRecord(name: string, fields: Partial<AcceptRecord> = {}): AcceptRecord {
  return {
    id: bytesOf(`envelope ${name}`),
    kind: 1,
    mode: 'sealed',
    from: alice,
    device: bytesOf('device of alice'),
    conversation: bytesOf('alice and bob'),
    contentType: 'xmtp.org/text:1.0',
    flags: 0,
    created: 1_000,
    expiresAt: 0,
    bytes: bytesOf(`bytes ${name}`),
    certificate: null,
    trace: Uint8Array.of(0x80),
    via: 'http',
    receivedAt: 2_000,
    monotonic: 20.5,
    inbox: [
      { wallet: bob, direction: 'received' },
      { wallet: alice, direction: 'sent' },
    ],
    deliveries: [newDelivery(name, 'trtc'), newDelivery(name, 'waku', { rank: 1 })],
    alias: null,
    ...fields,
  }
}

export function newDelivery(name: string, network: string, fields: Partial<NewDelivery> = {}): NewDelivery {
  return {
    wallet: bob,
    network,
    address: `bob on ${network}`,
    transactionId: Buffer.from(bytesOf(`${name} ${network}`))
      .toString('hex')
      .slice(0, 32),
    state: 'pending',
    rank: 0,
    notBefore: null,
    ...fields,
  }
}

export function challenge(id: string, fields: Partial<StoredChallenge> = {}): StoredChallenge {
  return {
    id,
    wallet: alice,
    account: alice.replace('*', '1'),
    action: 'add',
    device: bytesOf('device of alice'),
    label: 'Alice’s telephone',
    entry: bytesOf(`entry ${id}`),
    message: 'gateway.example wants you to sign in',
    createdAt: 1_000,
    expiresAt: 301_000,
    ...fields,
  }
}

export function keyEntry(seq: number, fields: Partial<StoredKeyEntry> = {}): StoredKeyEntry {
  return {
    wallet: alice,
    seq,
    hash: bytesOf(`hash ${seq}`),
    entry: bytesOf(`entry ${seq}`),
    signature: '0xabcd',
    account: alice.replace('*', '1'),
    domain: 'gateway.example',
    proof: null,
    action: 'add',
    device: bytesOf('device of alice'),
    notBefore: 1_000,
    notAfter: 100_000,
    receivedAt: 2_000,
    ...fields,
  }
}

export function session(name: string, fields: Partial<StoredSession> = {}): StoredSession {
  return {
    tokenHash: Buffer.from(bytesOf(`token ${name}`)).toString('hex'),
    wallet: alice,
    account: alice.replace('*', '1'),
    device: bytesOf('device of alice'),
    createdAt: 1_000,
    expiresAt: 50_000,
    ...fields,
  }
}

export function prekey(name: string, fields: Partial<StoredPrekey> = {}): StoredPrekey {
  return {
    keyId: bytesOf(`key id ${name}`).slice(0, 16),
    wallet: alice,
    device: bytesOf('device of alice'),
    suite: 1,
    publicKey: bytesOf(`public key ${name}`),
    notBefore: 1_000,
    notAfter: 90_000,
    bytes: bytesOf(`prekey bytes ${name}`),
    signature: bytesOf(`prekey signature ${name}`),
    ...fields,
  }
}

export function endpoint(
  wallet: string,
  network: string,
  fields: Partial<StoredEndpoint> = {},
): StoredEndpoint {
  return {
    wallet,
    network,
    address: `${wallet.slice(-4)} on ${network}`,
    enabled: true,
    source: 'derived',
    exclusive: true,
    updatedAt: 1_000,
    ...fields,
  }
}

/** Of Alice on `xmtp`; secret and consent follow from the id. */
export function enrolment(id: string, fields: Partial<NewEnrolment> = {}): NewEnrolment {
  return {
    id,
    wallet: alice,
    network: 'xmtp',
    account: '{"kind":"evm-account"}',
    secret: bytesOf(`secret ${id}`),
    consent: bytesOf(`consent ${id}`),
    consentHash: bytesOf(`hash ${id}`),
    meaning: 'The gateway reads and writes as the wallet.',
    expiresAt: 900_000,
    createdAt: 1_000,
    ...fields,
  }
}
