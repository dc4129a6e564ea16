/** What the client does with mirrored Push messages while the node is away. The SDK is played; test/integration has the real one. */
import { Wallet } from 'ethers'
import { afterEach, expect, it, vi } from 'vitest'
import { encodeFrame, toBase64url, toHex, utf8Encode } from '../envelope/index.ts'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import { createPushPiece } from './push.ts'
import { fingerprint } from './push-keys.ts'
import { readPushMessage } from './push-message.ts'
import type { PushIngested, PushSdk, PushSdkMessage, PushSdkProfile } from './push-types.ts'
import { nothingSeen } from './seen.ts'
import { memoryStorage } from './storage.ts'

const didOfWallet = (wallet: { address: string }) => `eip155:${wallet.address}`
const bob = didOfWallet(Wallet.createRandom())
const refused = { code: 'push-refused' }

afterEach(() => {
  vi.useRealTimers()
})

/** A profile as the SDK gives it: of the key's object, which the wallet signed, only the key is left. */
async function profileOf(
  wallet: { address: string; signMessage(text: string): Promise<string> },
  key: string,
) {
  const did = didOfWallet(wallet)
  const signed = {
    caip10: did,
    did,
    publicKey: JSON.stringify({ key, signature: 'DEPRECATED' }),
    encryptedPrivateKey: '{}',
  }
  const signature = await wallet.signMessage(fingerprint(JSON.stringify(signed)))
  const proof = { encryptedPrivateKey: '{}', verificationProof: `eip191v2:${signature}` }
  return { did, wallets: did, publicKey: key, ...proof } satisfies PushSdkProfile
}

/** Alice and Carol write to Bob, whose node, gateway and played SDK are these. */
async function setUp() {
  const [aliceWallet, carolWallet] = [Wallet.createRandom(), Wallet.createRandom()]
  const [alice, carol] = [didOfWallet(aliceWallet), didOfWallet(carolWallet)]
  const profiles = new Map<string, PushSdkProfile>([
    [alice, await profileOf(aliceWallet, 'key of alice')],
    [carol, await profileOf(carolWallet, 'key of carol')],
    [bob, { did: bob, wallets: bob, publicKey: 'key of bob' }],
  ])
  const state = { away: false, gatewayAway: false, asked: 0, now: 1_000_000, secrets: true, signedOut: false }
  /** While it is set the SDK hangs behind the check of the signature, and calls it. */
  const hang: { begins: (() => void) | null } = { begins: null }
  const parcels = new Map<string, Uint8Array>()
  const told: PushIngested[] = []
  const sdk: PushSdk = {
    chat: {
      async decryptConversation({ messages, connectedUser }) {
        const opened = messages.map((message) => {
          if (connectedUser.wallets !== message.fromCAIP10) throw new Error('the SDK would ask its node')
          const signedBy = message.verificationProof?.split(':')[2]
          if (signedBy !== connectedUser.publicKey) throw new Error('Signature could not be verified')
          const failed = 'Unable to Decrypt Message'
          const isHidden = message.encType === 'pgpv1:group' && !state.secrets
          if (isHidden) return { ...message, messageObj: failed, messageContent: failed }
          return { ...message, messageObj: { content: message.messageObj }, messageContent: 'unsigned' }
        })
        if (!hang.begins) return opened
        hang.begins()
        return new Promise(() => {})
      },
      async chats() {
        if (state.away) throw new Error('no answer')
        return [{ did: alice }, { did: null }]
      },
    },
    user: {
      async get({ account }) {
        state.asked++
        if (state.away) throw new Error('[Push SDK] - API: AxiosError')
        return structuredClone(profiles.get(account) ?? null)
      },
    },
  }
  const puts: unknown[] = []
  const api = {
    token: 'token',
    async get(path: string) {
      if (state.gatewayAway) throw new ClientError('gateway-unreachable', 'away')
      if (state.signedOut) throw new ClientError('gateway-refused', 'no session', { status: 401 })
      const bytes = parcels.get(path.split('/').at(-1) ?? '')
      if (!bytes) throw new ClientError('gateway-refused', 'not found', { status: 404 })
      return { sealed: toBase64url(bytes) }
    },
    async put(_path: string, body: unknown) {
      puts.push(body)
      return { topics: 1 }
    },
  } as unknown as Api
  const ids = new Set<string>()
  const storage = memoryStorage()
  const make = () => {
    const piece = createPushPiece({
      api,
      account: bob,
      storage,
      receipts: { add() {}, async flush() {} },
      seen: { ...nothingSeen, add: (id) => ids.size < ids.add(id).size },
      requireSession() {},
      now: () => state.now,
    })
    piece.attach(sdk, { pgpPrivateKey: 'key', env: 'local', onIngested: (result) => told.push(result) })
    return piece
  }
  let serial = 0
  function message(from: string, text: string, change: Partial<PushSdkMessage> = {}): PushSdkMessage {
    const sides = { fromDID: from, fromCAIP10: from, toDID: bob, toCAIP10: bob }
    const key = profiles.get(from)?.publicKey
    const proof = { encType: 'pgp', verificationProof: `pgpv3:${serial + 1}:${key}` }
    return { cid: `c${serial + 1}`, ...sides, messageType: 'Text', messageObj: text, ...proof, ...change }
  }
  const bytesOf = (content: PushSdkMessage) => utf8Encode(JSON.stringify(content))
  /** A frame of a parcel that the gateway mirrored. */
  function mirrored(bytes: Uint8Array, sent = bytes): Uint8Array {
    const id = new Uint8Array(32).fill(++serial)
    parcels.set(toHex(id), bytes)
    return frameOf(id, sent)
  }
  const frameOf = (id: Uint8Array, bytes: Uint8Array, network = 'push') => {
    const trace = [{ gateway: 'g', network, at: 1 }]
    return encodeFrame({ kind: 2, id, bytes, trace, mode: 'opaque', certificate: null })
  }
  const from = (did: string, text: string, change?: Partial<PushSdkMessage>) =>
    mirrored(bytesOf(message(did, text, change)))
  const rotate = async (key: string) => void profiles.set(alice, await profileOf(aliceWallet, key))
  return {
    alice,
    carol,
    profiles,
    rotate,
    state,
    hang,
    told,
    puts,
    make,
    piece: make(),
    message,
    bytesOf,
    mirrored,
    frameOf,
    from,
  }
}

const textOf = ({ message }: PushIngested) =>
  (message?.messageObj as { content?: unknown } | undefined)?.content

it('opens without the node what a pinned key signed, also after a restart, and shows it once', async () => {
  const { piece, make, state, alice, puts, message, bytesOf, mirrored } = await setUp()
  expect(await piece.mirror()).toEqual({ topics: 1 })
  expect(puts).toEqual([{ account: bob }])
  state.away = true
  const native = message(alice, 'hello')
  const frame = mirrored(bytesOf(native))
  const first = await piece.ingest(frame, { network: 'trtc' })
  expect(first).toMatchObject({ outcome: 'message', from: alice, chat: alice, cid: 'c1', duplicate: false })
  expect(textOf(first)).toBe('hello')
  expect(first.message).not.toHaveProperty('messageContent')
  expect(await make().ingest(frame)).toEqual({ ...first, duplicate: true })
  // The node could give it again under another name.
  expect(piece.isFirst({ ...native, cid: 'other' })).toBe(false)
  expect(piece.isFirst({ raw: { verificationProof: 'pgpv3:x:y' }, reference: 'c9' })).toBe(true)
  expect(piece.isFirst({ verificationProof: 'pgpv3:x:y' })).toBe(false)
  expect([piece.isFirst({ cid: 'old' }), piece.isFirst({ reference: 'old' })]).toEqual([true, false])
  expect(() => piece.isFirst({})).toThrow(TypeError)
})

it('what needs a key waits for the node in the order of its chat, and a bad signature holds nothing up', async () => {
  const { piece, state, told, alice, carol, from } = await setUp()
  await piece.mirror({ chats: [{ id: alice }] })
  state.away = true
  const bad = from(alice, 'forged', { verificationProof: 'pgpv3:1:another key' })
  expect(await piece.ingest(bad)).toMatchObject({ outcome: 'queued', from: alice })
  expect(await piece.ingest(from(alice, 'goes on'))).toMatchObject({ outcome: 'message' })
  for (const text of ['one', 'two']) {
    expect(await piece.ingest(from(carol, text))).toMatchObject({ outcome: 'queued', chat: carol })
  }
  expect(await piece.retry()).toBe(3)
  state.away = false
  expect(await piece.retry()).toBe(0)
  expect(told.map((result) => [result.outcome, textOf(result)])).toEqual([
    ['refused', undefined],
    ['message', 'one'],
    ['message', 'two'],
  ])
  expect(await piece.ingest(from(carol, 'three'))).toMatchObject({ outcome: 'message', duplicate: false })
})

it('takes new keys that the wallet signed, and neither unsigned ones nor earlier ones', async () => {
  const { piece, rotate, profiles, alice, from } = await setUp()
  expect(await piece.ingest(from(alice, 'first'))).toMatchObject({ outcome: 'message' })
  const old = profiles.get(alice)!
  profiles.set(alice, { ...old, publicKey: 'key of the node' })
  await expect(piece.ingest(from(alice, 'substituted'))).rejects.toMatchObject(refused)
  await rotate('newer key')
  expect(await piece.ingest(from(alice, 'second'))).toMatchObject({ outcome: 'message' })
  profiles.set(alice, old)
  await expect(piece.ingest(from(alice, 'old key again'))).rejects.toMatchObject(refused)
  profiles.delete(alice)
  await expect(piece.ingest(from(alice, 'no key'))).rejects.toMatchObject(refused)
})

it('refuses what the SDK would show unchecked', async () => {
  const { alice, carol, message, bytesOf } = await setUp()
  const verdict = (change: Partial<PushSdkMessage>) =>
    readPushMessage(bytesOf(message(alice, 'x', change)), bob)
  expect(verdict({})).toMatchObject({ from: alice, chat: alice })
  expect(verdict({ toDID: 'group', toCAIP10: 'group' })).toMatchObject({ chat: 'group' })
  expect(verdict({ fromDID: bob, fromCAIP10: bob, toDID: alice, toCAIP10: alice })).toMatchObject({
    chat: alice,
  })
  expect(verdict({ encType: 'pgp', verificationProof: 'pgpv2:x' })).toMatchObject({ from: alice })
  const wrong: Partial<PushSdkMessage>[] = [
    { fromDID: carol },
    { toDID: carol },
    { toDID: carol, toCAIP10: carol },
    // Said in one group and shown in another: the signature covers `toCAIP10` alone.
    { toDID: 'another group', toCAIP10: 'group' },
    { toDID: bob, toCAIP10: 'group' },
    { toDID: 'group' },
    { encType: 'PlainText' },
    { messageObj: { content: 'plain' } },
    { verificationProof: null },
    { verificationProof: 'pgp:x' },
    { encType: 'pgpv1:group', verificationProof: 'pgpv2:x' },
    { cid: '' },
    { fromDID: 'nobody', fromCAIP10: 'nobody' },
  ]
  for (const change of wrong) expect(typeof verdict(change)).toBe('string')
  for (const text of ['', '[]', 'null', '"text"', '{']) {
    expect(readPushMessage(utf8Encode(text), bob)).toBe('holds no Push message')
  }
  expect(readPushMessage(Uint8Array.of(255, 254), bob)).toBe('holds no Push message')
})

it('a notice is fetched from the gateway, now or later; a wake-up is told', async () => {
  const { piece, state, told, alice, message, bytesOf, mirrored } = await setUp()
  const empty = new Uint8Array()
  const large = bytesOf(message(alice, 'large'))
  expect(await piece.ingest(mirrored(large, empty))).toMatchObject({ outcome: 'message' })
  expect(await piece.ingest(mirrored(empty))).toMatchObject({ outcome: 'woken', message: null })
  state.gatewayAway = true
  const later = bytesOf(message(alice, 'later'))
  expect(await piece.ingest(mirrored(later, empty))).toMatchObject({ outcome: 'queued' })
  expect(await piece.retry()).toBe(1)
  state.gatewayAway = false
  expect(await piece.retry()).toBe(0)
  expect(told.map(textOf)).toEqual(['later'])
})

it('the secret of a group waits for the node too; forged parcels do not wait', async () => {
  const { piece, state, told, alice, message, bytesOf, mirrored, frameOf, from } = await setUp()
  await piece.mirror()
  const group = { toDID: 'group', toCAIP10: 'group', encType: 'pgpv1:group' }
  state.secrets = false
  state.away = true
  expect(await piece.ingest(from(alice, 'to all', group))).toMatchObject({ outcome: 'queued', chat: 'group' })
  const unknown = new Uint8Array(32).fill(99)
  const forged = { verificationProof: 'pgpv3:1:another key' }
  await expect(piece.ingest(frameOf(unknown, bytesOf(message(alice, 'x', forged))))).rejects.toMatchObject(
    refused,
  )
  await expect(piece.ingest(frameOf(unknown, new Uint8Array()))).rejects.toMatchObject(refused)
  const swapped = mirrored(bytesOf(message(alice, 'real')), bytesOf(message(alice, 'x', forged)))
  await expect(piece.ingest(swapped)).rejects.toMatchObject(refused)
  await expect(piece.ingest(frameOf(unknown, Uint8Array.of(1), 'xmtp'))).rejects.toMatchObject({
    code: 'message-unsupported',
  })
  state.secrets = true
  state.away = false
  expect(await piece.retry()).toBe(0)
  expect(told.map(textOf)).toEqual(['to all'])
})

it('what the SDK does not answer in time waits in its place, and is not taken for badly signed', async () => {
  const { piece, hang, told, alice, rotate, from } = await setUp()
  await piece.mirror()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const ingestHanging = async (frame: Uint8Array) => {
    const begun = new Promise<void>((resolve) => {
      hang.begins = resolve
    })
    const result = piece.ingest(frame)
    await begun
    await vi.advanceTimersByTimeAsync(10_000)
    hang.begins = null
    return result
  }
  const group = { toDID: 'group', toCAIP10: 'group', encType: 'pgpv1:group' }
  expect(await ingestHanging(from(alice, 'one', group))).toMatchObject({ outcome: 'queued', chat: 'group' })
  expect(await piece.ingest(from(alice, 'two', group))).toMatchObject({ outcome: 'queued' })
  expect(await piece.retry()).toBe(0)
  // The same by a key that had to be fetched first.
  await rotate('newer key')
  expect(await ingestHanging(from(alice, 'three'))).toMatchObject({ outcome: 'queued', chat: alice })
  expect(await piece.retry()).toBe(0)
  expect(told.map((result) => [result.outcome, textOf(result)])).toEqual([
    ['message', 'one'],
    ['message', 'two'],
    ['message', 'three'],
  ])
})

it('a notice that the gateway does not give does not hold up what waits for the node', async () => {
  const { piece, state, told, alice, carol, message, bytesOf, mirrored, from } = await setUp()
  await piece.mirror()
  state.away = true
  expect(await piece.ingest(from(carol, 'by the node'))).toMatchObject({ outcome: 'queued' })
  state.gatewayAway = true
  const notice = mirrored(bytesOf(message(alice, 'by the gateway')), new Uint8Array())
  expect(await piece.ingest(notice)).toMatchObject({ outcome: 'queued' })
  Object.assign(state, { away: false, gatewayAway: false, signedOut: true })
  await expect(piece.retry()).rejects.toMatchObject({ code: 'gateway-refused', status: 401 })
  expect(told.map(textOf)).toEqual(['by the node'])
  state.signedOut = false
  expect(await piece.retry()).toBe(0)
  expect(told.map(textOf)).toEqual(['by the node', 'by the gateway'])
})
