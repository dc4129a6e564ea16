/** Following a node without keys, over its faults. The core of the gateway is the recording context; messages need no keys. */
import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { systemClock } from '../../../src/adapter/clock.ts'
import type { AdapterStorage } from '../../../src/adapter/index.ts'
import { createMemoryStorage, createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { configSchema } from '../config.ts'
import { didOfAddress } from '../did.ts'
import { createRestClient } from '../rest.ts'
import { type PushSandbox, startSandbox } from '../sandbox/index.ts'
import { createOpaqueMirrors } from './index.ts'

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  ahead = 0
  for (const close of closing.splice(0).reverse()) await close()
})

const PATIENT = { timeoutMs: 30_000 }
const never = new AbortController().signal
const names = (count: number, from = 0) => Array.from({ length: count }, (_, index) => `m${from + index}`)
const newDid = () => didOfAddress(`0x${randomBytes(20).toString('hex')}`)
const walletOf = (did: string) => `eip155:*:${did.slice('eip155:'.length).toLowerCase()}`

async function setUp() {
  const sandbox = await startSandbox({ strict: false })
  closing.push(() => sandbox.stop())
  const url = sandbox.addresses.rest ?? ''
  const call = async (path: string, body?: object, method = 'POST') => {
    const init = body ? { method, body: JSON.stringify(body) } : {}
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    expect(response.ok, text).toBe(true)
    return text
  }
  async function user(): Promise<string> {
    const did = newDid()
    const keys = { publicKey: 'key', encryptedPrivateKey: 'key', verificationProof: 'none' }
    await call('/v2/users/', { did, caip10: did, ...keys })
    return did
  }
  /** Writes messages one after the other. Gives their cids. */
  async function post(from: string, to: string, texts: string[]): Promise<string[]> {
    const cids: string[] = []
    for (const messageObj of texts) {
      const sides = { fromDID: from, toDID: to, fromCAIP10: from, toCAIP10: to }
      const rest = { messageType: 'Text', encType: 'pgp', verificationProof: 'pgpv3:none' }
      const answer = await call('/v1/chat/message', { ...sides, ...rest, messageObj })
      cids.push((JSON.parse(answer) as { cid: string }).cid)
    }
    return cids
  }
  return { sandbox, call, user, post, bob: await user(), alice: await user() }
}

/** How far the gateway's clock is ahead. */
let ahead = 0
const clock = { ...systemClock, now: () => systemClock.now() + ahead }

function follower(sandbox: PushSandbox, options: { storage?: AdapterStorage; sweepMs?: number } = {}) {
  const { storage = createMemoryStorage(), sweepMs = 300_000 } = options
  const context = createRecordingContext({ storage, clock })
  const config = configSchema.parse({
    ...sandbox.gatewayConfig,
    requestTimeoutMs: 2_000,
    reconnectMaxMs: 500,
  })
  const baseUrl = sandbox.addresses.rest ?? ''
  const rest = createRestClient({ baseUrl, timeoutMs: 2_000, clock, observe() {} })
  const mirrors = createOpaqueMirrors({ config, rest, sweepMs }, context)
  closing.push(() => mirrors.stop())
  mirrors.start()
  const parcels = () => context.parcels.filter(({ taken }) => taken).map(({ inbound }) => inbound)
  /** Each message once, in the order of its first delivery. */
  const heard = (conversation?: string) => {
    const wanted = parcels().filter((one) => conversation === undefined || one.conversation === conversation)
    const texts = wanted.map(({ bytes }) => (JSON.parse(Buffer.from(bytes).toString()) as Body).messageObj)
    return [...new Set(texts)]
  }
  return {
    context,
    mirrors,
    storage,
    parcels,
    heard,
    follow: (account: string, chats?: { id: string; cursor?: string }[], id = 'a'.repeat(32)) => {
      const registration = mirrors.registration.parse({ account, ...(chats ? { chats } : {}) })
      return mirrors.follow({ id, wallet: walletOf(account), registration }, never)
    },
  }
}

interface Body {
  messageObj: string
}

test('what others write from the registration on arrives in order, byte for byte, and own messages do not', async () => {
  const { sandbox, call, post, bob, alice } = await setUp()
  await post(alice, bob, ['before'])
  const { follow, parcels, heard } = follower(sandbox)
  await follow(bob)
  const cids: string[] = []
  for (const text of names(20)) {
    cids.push(...(await post(alice, bob, [text])))
    await post(bob, alice, [`own ${text}`])
  }
  await waitFor(() => heard().length === 20, PATIENT)
  expect(heard()).toEqual(names(20))
  for (const [index, { bytes, remoteId, conversation, kind, silent, remoteTime }] of parcels().entries()) {
    expect({ remoteId, conversation, kind, silent }).toEqual({
      remoteId: cids[index],
      conversation: alice,
      kind: 'message',
      silent: false,
    })
    expect(await call(`/v1/chat/conversationhash/${remoteId}?fetchLimit=1`)).toBe(
      `[${Buffer.from(bytes).toString()}]`,
    )
    expect(remoteTime).toBe((JSON.parse(Buffer.from(bytes).toString()) as { timestamp: number }).timestamp)
  }
})

test('all chats include those that begin later and groups; named chats are followed alone, from their cursor', async () => {
  const { sandbox, call, post, user, bob, alice } = await setUp()
  const [first] = await post(alice, bob, ['m0', 'm1', 'm2'])
  const carol = await user()
  const all = follower(sandbox)
  await all.follow(bob)
  const some = follower(sandbox)
  await some.follow(bob, [{ id: alice.toLowerCase().replace('eip155', 'eip155:1'), cursor: first! }])
  await post(carol, bob, ['new chat'])
  const group = JSON.parse(
    await call('/v2/chat/groups', {
      groupName: 'three',
      groupDescription: '',
      groupImage: '',
      isPublic: true,
      groupType: 'default',
      members: [bob],
      admins: [],
      config: {},
      rules: {},
      idempotentVerificationProof: `pgpv2:none:${alice}`,
    }),
  ) as { chatId: string }
  const joining = { fromDID: bob, toDID: group.chatId, status: 'Approved', verificationProof: 'pgp:none' }
  await call('/v1/chat/request/accept', joining, 'PUT')
  await call('/v1/chat/request', {
    fromDID: alice,
    toDID: group.chatId,
    fromCAIP10: alice,
    toCAIP10: group.chatId,
    messageType: 'Text',
    encType: 'PlainText',
    verificationProof: 'pgpv3:none',
    messageObj: 'to the group',
  })
  await post(alice, bob, ['m3'])
  await waitFor(() => all.heard().length >= 3 && some.heard().length >= 3, PATIENT)
  expect(all.heard(carol)).toEqual(['new chat'])
  expect(all.heard(alice)).toEqual(['m3'])
  expect(all.heard(group.chatId)).toEqual(['to the group'])
  expect(some.heard()).toEqual(['m1', 'm2', 'm3'])
  expect(some.mirrors.topics(some.mirrors.registration.parse({ account: bob }))).toBe(1)
})

test('lost, doubled and disordered events leave no gap and no disorder', async () => {
  const { sandbox, post, bob, alice } = await setUp()
  const { follow, heard } = follower(sandbox, { sweepMs: 1_000 })
  await follow(bob)
  await post(alice, bob, names(1))
  sandbox.faults.outOfOrder(5)
  await post(alice, bob, names(5, 1))
  sandbox.faults.duplication(1)
  sandbox.faults.reordering(1)
  await post(alice, bob, names(20, 6))
  sandbox.faults.loss(0.7)
  await post(alice, bob, names(20, 26))
  // The last one is not told of at all: only the next look finds it.
  sandbox.faults.loss(1)
  await post(alice, bob, names(1, 46))
  await waitFor(() => heard().length === 47, PATIENT)
  expect(heard()).toEqual(names(47))
})

test('an outage, failing answers and a restart are caught up with, over several pages', async () => {
  const { sandbox, post, bob, alice } = await setUp()
  const { follow, heard, mirrors, storage } = follower(sandbox)
  await follow(bob)
  await post(alice, bob, names(3))
  await waitFor(() => heard().length === 3, PATIENT)
  sandbox.faults.failWith(503, 4, { path: 'conversationhash' })
  sandbox.faults.cutSockets()
  await post(alice, bob, names(70, 3))
  await waitFor(() => heard().length === 73, PATIENT)
  expect(heard()).toEqual(names(73))
  await mirrors.stop()
  await post(alice, bob, names(40, 73))
  const again = follower(sandbox, { storage })
  await again.follow(bob)
  await waitFor(() => again.heard().length === 40, PATIENT)
  expect(again.heard()).toEqual(names(40, 73))
  // Its place is kept, so that nothing came twice.
  expect(again.parcels().length).toBe(40)
})

test('a registration made while the node is away begins then, not when the node is back', async () => {
  const { sandbox, post, bob, alice } = await setUp()
  await post(alice, bob, ['long before'])
  sandbox.faults.failWith(503, Number.POSITIVE_INFINITY, { path: '/chats' })
  const { follow, heard } = follower(sandbox)
  await follow(bob)
  await post(alice, bob, names(2))
  ahead += 60_000
  sandbox.faults.healCalls()
  await waitFor(() => heard().includes('m1'), PATIENT)
  // What is not older than two minutes may come as well: the clocks of two machines differ.
  expect(heard().slice(-2)).toEqual(names(2))
})

test('messages that the service does not give do not hold up those that it gives', async () => {
  const { sandbox, post, bob, alice } = await setUp()
  const { follow, heard, mirrors, storage } = follower(sandbox)
  await follow(bob)
  await post(alice, bob, names(1))
  await waitFor(() => heard().length === 1, PATIENT)
  await mirrors.stop()
  const [gone] = await post(alice, bob, ['gone'])
  // A full page leads back to the one that is gone.
  await post(alice, bob, names(30, 1))
  sandbox.faults.failWith(404, Number.POSITIVE_INFINITY, { path: gone! })
  const again = follower(sandbox, { storage })
  await again.follow(bob)
  await waitFor(() => again.heard().length === 30, { timeoutMs: 60_000 })
  expect(again.heard()).toEqual(names(30, 1))
  expect(again.context.logs.some(({ level }) => level === 'error')).toBe(true)
}, 90_000)

test('a mirror that narrows or ends forgets the places of what it leaves', async () => {
  const { sandbox, post, user, bob, alice } = await setUp()
  const carol = await user()
  const keys = new Map<string, string>()
  const storage: AdapterStorage = {
    get: async (key) => keys.get(key) ?? null,
    set: async (key, value) => void (value === null ? keys.delete(key) : keys.set(key, value)),
  }
  const { follow, heard, mirrors } = follower(sandbox, { storage })
  await follow(bob)
  await post(alice, bob, names(1))
  await post(carol, bob, ['from carol'])
  await waitFor(() => heard().length === 2 && keys.size === 3, PATIENT)
  await follow(bob, [{ id: alice }])
  expect([...keys.keys()].some((key) => key.endsWith(carol))).toBe(false)
  await post(carol, bob, ['not any more'])
  await post(alice, bob, names(1, 1))
  await waitFor(() => heard().includes('m1'), PATIENT)
  await mirrors.unfollow('a'.repeat(32), never)
  expect(keys.size).toBe(0)
  await post(alice, bob, names(1, 2))
  await post(alice, bob, names(1, 3))
  expect(heard()).toEqual(['m0', 'from carol', 'm1'])
})

test('only the wallet’s own account may be mirrored', async () => {
  const { sandbox, bob, alice } = await setUp()
  const { mirrors } = follower(sandbox)
  const registration = mirrors.registration.parse({ account: bob })
  expect(mirrors.objection?.(walletOf(bob), registration)).toBeNull()
  expect(mirrors.objection?.(walletOf(alice), registration)).toMatch(/not the account of this wallet/)
  expect(mirrors.objection?.(walletOf(bob).replace('*', '1'), registration)).toMatch(/private key/)
  const wrong = [{ account: bob.toLowerCase() }, { account: bob, chats: [] }, {}, { account: bob, more: 1 }]
  for (const input of wrong) expect(mirrors.registration.safeParse(input).success).toBe(false)
})
