/** What the SDK is let do: the calls of its task, with keys that are verified, and nothing in plaintext. */
import { expect, it } from 'vitest'
import { createBridge, type Purpose } from './bridge.ts'
import { PushError } from './errors.ts'
import type { Profiles } from './profiles.ts'
import type { HttpCall, RestClient } from './rest.ts'

const own = 'eip155:0x52908400098527886E0F7030069857D2E4169EE7'
const peer = 'eip155:0x8617E340B3D01FA5F11F306F4090FD50E238070D'
const { signal } = new AbortController()

function setUp(options: { profiles?: Partial<Profiles>; status?: number; body?: unknown } = {}) {
  const made: HttpCall[] = []
  const threads = new Set<string>()
  const rest: RestClient = {
    async call(call) {
      made.push(call)
      return { status: options.status ?? 200, body: options.body ?? { cid: 'b1' } }
    },
    get: () => Promise.reject(new Error('not used')),
    clockOffsetMs: () => null,
  }
  const profiles: Profiles = {
    lookUp: async (did) => ({ did, verified: true }),
    isPinned: async () => false,
    forget() {},
    refusals: () => ({}),
    ...options.profiles,
  }
  const bridge = createBridge({ own, rest, profiles, threads })
  let left = 0
  const purposes: Record<Purpose['kind'], Purpose> = {
    unlock: { kind: 'unlock', mayCreate: true },
    admit: { kind: 'admit' },
    send: { kind: 'send', to: peer, group: null, onLeave: () => left++ },
    accept: { kind: 'accept', from: peer },
    open: { kind: 'open' },
  }
  return {
    made,
    threads,
    left: () => left,
    through: (purpose: Purpose, call: HttpCall) => bridge(purpose, signal)(call),
    call: (kind: Purpose['kind'], call: HttpCall) => bridge(purposes[kind], signal)(call),
    code: async (kind: Purpose['kind'], call: HttpCall): Promise<string> =>
      bridge(
        purposes[kind],
        signal,
      )(call).then(
        () => 'let through',
        (error: unknown) => (error instanceof PushError ? error.code : String(error)),
      ),
  }
}

const message = {
  fromDID: own,
  toDID: peer,
  encType: 'pgp',
  messageObj: 'U2FsdGVk',
  messageContent: 'U2FsdGVk',
  encryptedSecret: '-----BEGIN PGP MESSAGE-----',
}
const post = (body: unknown, way = 'message'): HttpCall => ({ method: 'POST', path: `/v1/chat/${way}`, body })

it('an encrypted message goes out, told just before', async () => {
  for (const way of ['message', 'request']) {
    const { call, made, left } = setUp()
    expect(await call('send', post(message, way))).toEqual({ status: 200, body: { cid: 'b1' } })
    expect([made.length, left()]).toEqual([1, 1])
  }
})

it.each([
  ['not encrypted', { encType: 'PlainText' }],
  ['for another', { toDID: own }],
  ['from another', { fromDID: peer }],
  ['with the text in it', { messageObj: '{"content":"causeway1:AAAA"}' }],
  ['with the text beside it', { messageContent: 'causeway1:AAAA' }],
  ['an object', { messageObj: { content: 'x' } }],
  ['without a secret', { encryptedSecret: '' }],
])('a message that is %s does not', async (_what, change) => {
  const { code, made, left } = setUp()
  expect(await code('send', post({ ...message, ...change }))).toBe('plaintext-refused')
  expect([made.length, left()]).toEqual([0, 0])
})

it('each task has its calls and no others', async () => {
  const accept: HttpCall = {
    method: 'PUT',
    path: '/v1/chat/request/accept',
    body: { fromDID: peer, toDID: own, status: 'Approved' },
  }
  const create: HttpCall = { method: 'POST', path: '/v2/users/', body: { did: own, publicKey: 'k' } }
  const table: [HttpCall, Purpose['kind']][] = [
    [post(message), 'send'],
    [accept, 'accept'],
    [create, 'unlock'],
  ]
  for (const [call, allowed] of table) {
    for (const kind of ['unlock', 'send', 'accept', 'open'] as const) {
      expect(await setUp().code(kind, call), `${call.path} in ${kind}`).toBe(
        kind === allowed ? 'let through' : 'sdk-failed',
      )
    }
  }
  for (const call of [
    { ...accept, body: { fromDID: own, toDID: peer } },
    { ...create, body: { did: peer, publicKey: 'k' } },
    { ...create, body: { did: own, publicKey: '' } },
    { method: 'PUT', path: `/v2/users/${own}/auth`, body: {} },
    { method: 'GET', path: `/v1/chat/users/${own}/chats` },
    { method: 'DELETE', path: '/v2/users/' },
  ]) {
    for (const kind of ['unlock', 'send', 'accept', 'open'] as const) {
      expect(await setUp().code(kind, call)).toBe('sdk-failed')
    }
  }
})

const chatId = 'c'.repeat(64)
const toGroup = (group: 'public' | 'private'): Purpose => ({
  kind: 'send',
  to: chatId,
  group,
  onLeave() {},
})
const groupMessage = { ...message, toDID: chatId }
const sessionMessage = { ...groupMessage, encType: 'pgpv1:group', encryptedSecret: null, sessionKey: 'k1' }
const publicMessage = { ...groupMessage, encType: 'PlainText', messageObj: { content: 'to all' } }

it.each<[string, Purpose, object, boolean]>([
  ['for each member, to a private group', toGroup('private'), groupMessage, true],
  ['with a session key, to a private group', toGroup('private'), sessionMessage, true],
  ['in the clear, to a private group', toGroup('private'), publicMessage, false],
  ['in the clear, to a public group', toGroup('public'), publicMessage, true],
  ['encrypted, to a public group', toGroup('public'), groupMessage, false],
  [
    'with a session key, to a wallet',
    { ...toGroup('private'), to: peer, group: null } as Purpose,
    sessionMessage,
    false,
  ],
  ['to another group', toGroup('private'), { ...groupMessage, toDID: 'd'.repeat(64) }, false],
])('a message %s', async (_what, purpose, body, leaves) => {
  const { through, made } = setUp()
  const sending = through(purpose, post(body))
  if (leaves) await sending
  else await expect(sending).rejects.toMatchObject({ code: 'plaintext-refused' })
  expect(made.length).toBe(leaves ? 1 : 0)
})

it('members of a group have the keys that their wallets signed, or nobody has any', async () => {
  const ask: HttpCall = { method: 'GET', path: `/v1/chat/groups/${chatId}` }
  const body = { chatId, members: [{ wallet: peer, publicKey: 'of the service' }] }
  const lookUp = async () => ({ publicKey: '{"key":"of the wallet","signature":"DEPRECATED"}' })
  const { through } = setUp({ body, profiles: { lookUp } })
  expect(await through(toGroup('private'), ask)).toMatchObject({
    body: { chatId, members: [{ wallet: peer, publicKey: 'of the wallet' }] },
  })
  const unknown = setUp({ body: { members: [{ wallet: `scw:eip155:1:${peer.slice(7)}` }] } })
  await expect(unknown.through(toGroup('private'), ask)).rejects.toMatchObject({ code: 'key-unverified' })
  const joining = {
    method: 'GET',
    path: `/v1/chat/groups/${chatId}/members/publicKeys?pageNumber=1&pageSize=5000`,
  }
  const keys = setUp({
    body: { members: [{ did: peer, publicKey: 'of the service' }] },
    profiles: { lookUp },
  })
  expect(await keys.through({ kind: 'accept', from: chatId }, joining)).toMatchObject({
    body: { members: [{ did: peer, publicKey: 'of the wallet' }] },
  })
  const other = setUp({ body })
  await expect(
    other.through(toGroup('private'), { method: 'GET', path: `/v1/chat/groups/${'d'.repeat(64)}` }),
  ).rejects.toMatchObject({ code: 'sdk-failed' })
})

it('keys come from verified profiles, and their refusal stands', async () => {
  const ask: HttpCall = { method: 'GET', path: `/v2/users/?caip10=${peer}` }
  expect(await setUp().call('open', ask)).toEqual({ status: 200, body: { did: peer, verified: true } })
  const refused = setUp({
    profiles: { lookUp: () => Promise.reject(new PushError('key-unverified', 'no')) },
  })
  expect(await refused.code('send', ask)).toBe('key-unverified')
})

it('a profile is made where there never was one, and not where one vanished', async () => {
  const ask: HttpCall = { method: 'GET', path: `/v2/users/?caip10=${own}` }
  const lookUp = () => Promise.reject(new PushError('wallet-without-keys', 'none'))
  expect(await setUp({ profiles: { lookUp } }).call('unlock', ask)).toEqual({ status: 200, body: null })
  expect(await setUp({ profiles: { lookUp } }).code('send', ask)).toBe('profile-missing')
  const pinned = setUp({ profiles: { lookUp, isPinned: async () => true } })
  expect(await pinned.code('unlock', ask)).toBe('profile-missing')
})

it('whether there is a chat is asked until there is one', async () => {
  const ask: HttpCall = { method: 'GET', path: `/v1/chat/users/${own}/conversations/${peer}/hash` }
  const fresh = setUp({ body: { threadHash: null, intent: false } })
  await fresh.call('send', ask)
  await fresh.call('send', ask)
  expect([fresh.made.length, fresh.threads.size]).toEqual([2, 0])
  const known = setUp({ body: { threadHash: 'b1', intent: true } })
  await known.call('send', ask)
  expect(await known.call('send', ask)).toEqual({ status: 200, body: { threadHash: 'known', intent: true } })
  expect(known.made.length).toBe(1)
})

it('an answer of failure is one', async () => {
  expect(await setUp({ status: 429 }).code('send', post(message))).toBe('refused')
})
