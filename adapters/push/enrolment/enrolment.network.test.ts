/** Enrolled wallets against a service that lies, forgets and answers late, with users of the unmodified SDK. */
import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import type { EnrolmentFacet, NativeInbound, NativeIntent } from '../../../src/adapter/index.ts'
import { systemClock } from '../../../src/adapter/index.ts'
import { createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { writeContent } from '../../../src/content/index.ts'
import { encodeText } from '../carriage.ts'
import { createProfiles } from '../profiles.ts'
import { createRestClient } from '../rest.ts'
import { type PushSandbox, type PushSandboxOptions, startSandbox } from '../sandbox/index.ts'
import type { PushUser } from '../sandbox/sdk-user.ts'
import { createSdkHost } from '../sdk/host.ts'
import { neverAborted, startAdapter, startUser, type TestAdapter, testFrame } from '../testing.ts'
import { createEnrolledAccount } from './account.ts'
import { directId } from './conversations.ts'

type User = Awaited<ReturnType<typeof startUser>>

const endings: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
}, 60_000)

async function setUp(options: PushSandboxOptions = {}) {
  const sandbox = await startSandbox(options)
  endings.push(() => sandbox.stop())
  const user = async () => {
    const started = await startUser(sandbox, { acceptRequests: false })
    endings.push(() => started.close())
    return started
  }
  return { sandbox, alice: await user(), bob: await user(), user }
}

/** A gateway that Alice has enrolled. */
async function enrolled(sandbox: PushSandbox, alice: User) {
  const test = await startAdapter({ ...sandbox.gatewayConfig, profileCacheMs: 0, reconnectMaxMs: 500 })
  endings.push(() => test.stop())
  await test.connected()
  const facet = test.adapter.enrolment as EnrolmentFacet
  const id = randomBytes(16).toString('hex')
  const address = alice.did.slice('eip155:'.length)
  const account = { kind: 'evm-account', address, chainId: 1 } as const
  const request = { id, wallet: alice.wallet, account, secret: new Uint8Array(32) }
  const { text } = await facet.begin(request, neverAborted)
  const signature = await alice.signer.signMessage(text)
  const completion = { id, signature, chainId: null, handover: await keyOf(alice) }
  const { secret } = await facet.complete(completion, neverAborted)
  await waitFor(() => states(test, id).includes('connected'), { what: 'the line', timeoutMs: 60_000 })
  return { test, facet, id, secret: secret ?? new Uint8Array(), account }
}

const states = ({ context }: TestAdapter, id: string) =>
  context.enrolmentStates.filter((entry) => entry.id === id).map(({ report }) => report.state)

async function keyOf(user: PushUser): Promise<Uint8Array> {
  const { decryptedPgpPrivateKey } = (await user.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  return new TextEncoder().encode(decryptedPgpPrivateKey)
}

function intentOf(enrolment: string, to: NativeIntent['to'], text: string): NativeIntent {
  return {
    enrolment,
    transactionId: randomBytes(16).toString('hex'),
    envelopeId: Uint8Array.from(randomBytes(32)),
    to,
    content: writeContent({ kind: 'text', text }),
    reference: null,
    replaces: null,
    silent: false,
    attempt: 1,
  }
}

const textOf = ({ content }: NativeInbound) => new TextDecoder().decode(content.bytes)
const heard = ({ context }: TestAdapter) => context.natives.map(({ inbound }) => textOf(inbound))

async function walked(facet: EnrolmentFacet, enrolment: string): Promise<string[]> {
  const texts: string[] = []
  for await (const inbound of facet.walk({ enrolment, since: 0 }, neverAborted)) texts.push(textOf(inbound))
  return texts
}

const copies = (user: PushUser, text: string) =>
  user.messages.filter(({ content }) => content === text).length

it('what no event told of comes with the next message, in order, and each once', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { test } = await enrolled(sandbox, alice)
  await bob.sendText(alice.did, 'first')
  await waitFor(() => heard(test).includes('first'), { what: 'the first message', timeoutMs: 60_000 })
  sandbox.faults.loss(1)
  await bob.sendText(alice.did, 'second')
  await bob.sendText(alice.did, 'third')
  sandbox.faults.loss(0)
  sandbox.faults.duplication(1)
  await bob.sendText(alice.did, 'fourth')
  await bob.sendText(alice.did, 'fifth')
  await waitFor(() => heard(test).includes('fifth'), { what: 'the last message', timeoutMs: 60_000 })
  expect(heard(test)).toEqual(['first', 'second', 'third', 'fourth', 'fifth'])
}, 240_000)

it('somebody’s envelope for the wallet is delivered as such, and shown by nobody else', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { test, facet, id } = await enrolled(sandbox, alice)
  const frame = testFrame()
  const cid = await bob.sendText(alice.did, encodeText(frame))
  await waitFor(() => test.context.deliveries.length > 0, { what: 'the envelope', timeoutMs: 60_000 })
  const [delivery] = test.context.deliveries
  expect(delivery?.inbound).toMatchObject({ remoteId: cid, from: bob.did, to: alice.did, via: 'stream' })
  expect(delivery?.inbound.frame).toEqual(frame)
  expect(await walked(facet, id)).toEqual([])
  expect(heard(test)).toEqual([])
}, 240_000)

it('a retry after a lost answer sends nothing, and equal texts are two messages', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { facet, id } = await enrolled(sandbox, alice)
  const to = { wallet: bob.wallet }
  await facet.send(intentOf(id, to, 'yes'), neverAborted)
  const second = intentOf(id, to, 'yes')
  sandbox.faults.answerLost(1)
  await expect(facet.send(second, neverAborted)).rejects.toMatchObject({ class: 'uncertain' })
  const found = await facet.find(second, neverAborted)
  expect(found).toMatchObject({ remoteIds: [expect.any(String)] })
  expect(await facet.send({ ...second, attempt: 2 }, neverAborted)).toEqual(found)
  await facet.send(intentOf(id, to, 'the end'), neverAborted)
  await waitFor(() => copies(bob, 'the end') === 1, { what: 'the end', timeoutMs: 60_000 })
  expect(copies(bob, 'yes')).toBe(2)
}, 240_000)

it('a receipt accepts no stranger’s request; an answer does', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { facet, id } = await enrolled(sandbox, alice)
  const reference = await bob.sendText(alice.did, 'do you know me?')
  const conversation = directId(alice.did, bob.did)
  const receipt = {
    ...intentOf(id, { conversation }, ''),
    content: writeContent({ kind: 'readReceipt' }),
    reference,
  }
  await expect(facet.send(receipt, neverAborted)).rejects.toMatchObject({ class: 'permanent' })
  expect(sandbox.calls.get('PUT /v1/chat/request/accept')).toBeUndefined()
  await facet.send(intentOf(id, { conversation }, 'I do'), neverAborted)
  expect(sandbox.calls.get('PUT /v1/chat/request/accept')).toBe(1)
  await facet.send({ ...receipt, transactionId: randomBytes(16).toString('hex') }, neverAborted)
}, 240_000)

it('nothing goes to a group in the clear that was private, or to a key that a member did not sign', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { facet, id } = await enrolled(sandbox, alice)
  const { chatId } = (await bob.invoke('chat.group.create', 'ours', {
    members: [alice.did],
    private: true,
  })) as { chatId: string }
  const to = { conversation: chatId }
  await facet.send(intentOf(id, to, 'among us'), neverAborted)
  const taken = () => sandbox.calls.get('POST /v1/chat/message')
  const before = taken()
  await sandbox.faults.substituteKey(bob.did, true)
  await expect(facet.send(intentOf(id, to, 'for whom?'), neverAborted)).rejects.toMatchObject({
    class: 'permanent',
    remoteCode: 'key-unverified',
  })
  await sandbox.faults.substituteKey(bob.did, false)
  await fetch(`${sandbox.addresses.rest}/v1/chat/groups/${chatId}/config`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      isPublic: true,
      profileVerificationProof: null,
      configVerificationProof: null,
    }),
  })
  await expect(facet.send(intentOf(id, to, 'to all the world'), neverAborted)).rejects.toMatchObject({
    class: 'permanent',
    remoteCode: 'plaintext-refused',
  })
  expect(taken()).toBe(before)
}, 240_000)

it('what is signed for another chat, badly or not at all is left out, and the rest is read', async () => {
  const { sandbox, alice, bob, user } = await setUp({ strict: false })
  const carol = await user()
  const { facet, id, test } = await enrolled(sandbox, alice)
  const post = (body: object) =>
    fetch(`${sandbox.addresses.rest}/v1/chat/message`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const stored = async (cid: string) =>
    ((await (await fetch(`${sandbox.addresses.rest}/v1/chat/conversationhash/${cid}`)).json()) as object[])[0]
  await bob.sendText(alice.did, 'genuine')
  const genuine = await stored(await bob.sendText(alice.did, 'genuine too'))
  const forCarol = await stored(await bob.sendText(carol.did, 'for Carol'))
  const plain = {
    ...genuine,
    encType: 'PlainText',
    messageObj: { content: 'forged' },
    messageContent: 'forged',
    encryptedSecret: '',
  }
  await post({ ...forCarol, toDID: alice.did })
  await post({ ...forCarol, toDID: alice.did, toCAIP10: alice.did })
  await post({ ...genuine, messageType: 'Payment' })
  await post(plain)
  await post({ ...plain, verificationProof: '' })
  await post({ ...genuine, fromDID: carol.did })
  await bob.sendText(alice.did, 'genuine at last')
  await waitFor(() => heard(test).includes('genuine at last'), {
    what: 'the last message',
    timeoutMs: 60_000,
  })
  const expected = ['genuine', 'genuine too', 'genuine at last']
  expect(heard(test)).toEqual(expected)
  expect(await walked(facet, id)).toEqual(expected)
}, 240_000)

it('a chat that the service does not give does not keep the others from being read', async () => {
  const { sandbox, alice, bob, user } = await setUp()
  const carol = await user()
  const { facet, id } = await enrolled(sandbox, alice)
  await bob.sendText(alice.did, 'from Bob')
  const gone = await carol.sendText(alice.did, 'from Carol')
  sandbox.faults.failWith(404, Number.POSITIVE_INFINITY, { path: gone })
  expect(await walked(facet, id)).toEqual(['from Bob'])
  sandbox.faults.healCalls()
  sandbox.faults.failWith(503, Number.POSITIVE_INFINITY, { path: gone })
  await expect(walked(facet, id)).rejects.toMatchObject({ class: 'retryable' })
  sandbox.faults.healCalls()
  expect((await walked(facet, id)).sort()).toEqual(['from Bob', 'from Carol'])
}, 240_000)

it('a wallet that makes new keys has taken its account back', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { facet, id, test, secret, account } = await enrolled(sandbox, alice)
  await alice.invoke('reinitialize', { versionMeta: {} })
  await expect(walked(facet, id)).rejects.toMatchObject({ class: 'permanent', remoteCode: 'key-replaced' })
  expect(states(test, id).at(-1)).toBe('loggedOut')
  await facet.close(id)
  const enrolment = { id, wallet: alice.wallet, account, address: alice.did, secret }
  await expect(facet.open(enrolment, neverAborted)).rejects.toMatchObject({ class: 'permanent' })
  await expect(facet.send(intentOf(id, { wallet: bob.wallet }, 'no'), neverAborted)).rejects.toMatchObject({
    name: 'AdapterError',
  })
}, 240_000)

it('the key goes into a new thread when one has ended, and nowhere after the end', async () => {
  const { sandbox, alice, bob } = await setUp()
  const context = createRecordingContext()
  endings.push(() => context.dispose())
  const { storage, log } = context
  const rest = createRestClient({
    baseUrl: String(sandbox.addresses.rest),
    timeoutMs: 10_000,
    clock: systemClock,
    observe: () => undefined,
  })
  const profiles = createProfiles({ rest, storage, clock: systemClock, log, cacheMs: 0 })
  const host = createSdkHost()
  endings.push(() => host.close())
  const key = await keyOf(alice)
  const account = createEnrolledAccount('one', alice.did, key, { rest, profiles, host, environment: 'prod' })
  const send = (text: string) =>
    account.send(
      { address: bob.did, group: null },
      { type: 'Text', content: text },
      () => undefined,
      neverAborted,
    )
  await send('by the first thread')
  await host.running()?.close()
  await waitFor(() => account.ended().aborted, { what: 'the end of the thread' })
  await send('by the second')
  await waitFor(() => copies(bob, 'by the second') === 1, { what: 'the message', timeoutMs: 60_000 })
  await account.dispose()
  expect(key.every((byte) => byte === 0)).toBe(true)
  await expect(send('after the end')).rejects.toMatchObject({ code: 'not-connected' })
  const other = createEnrolledAccount('two', bob.did, await keyOf(alice), {
    rest,
    profiles,
    host,
    environment: 'prod',
  })
  await expect(other.admit(neverAborted)).rejects.toMatchObject({ code: 'key-replaced' })
  await other.dispose()
}, 240_000)
