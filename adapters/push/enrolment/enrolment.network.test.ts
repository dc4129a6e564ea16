/** Enrolled wallets against a service that lies, forgets and answers late, with users of the unmodified SDK. */
import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import type { NativeIntent } from '../../../src/adapter/index.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { writeContent } from '../../../src/content/index.ts'
import { encodeText } from '../carriage.ts'
import { neverAborted, testFrame } from '../testing.ts'
import { directId } from './conversations.ts'
import {
  copies,
  createAccounts,
  endAll,
  enrolled,
  heard,
  intentOf,
  keyOf,
  setUp,
  states,
  walked,
  walkInto,
} from './testing.ts'

afterEach(endAll, 60_000)

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

it('somebody’s envelope that no event told of is delivered by the walk, and the wallet’s own is not', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { test, facet, id } = await enrolled(sandbox, alice)
  const frame = testFrame()
  sandbox.faults.loss(1)
  const cid = await bob.sendText(alice.did, encodeText(frame))
  await alice.sendText(bob.did, encodeText(testFrame()))
  expect(await walked(facet, id)).toEqual([])
  expect(test.context.deliveries.map(({ inbound }) => inbound)).toEqual([
    expect.objectContaining({ frame, remoteId: cid, from: bob.did, to: alice.did, via: 'history' }),
  ])
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

it('the same reaction to another message is not taken for the one that is looked for', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { facet, id } = await enrolled(sandbox, alice)
  const [first, second] = [await bob.sendText(alice.did, 'one'), await bob.sendText(alice.did, 'two')]
  const liking = (reference: string): NativeIntent => ({
    ...intentOf(id, { conversation: directId(alice.did, bob.did) }, ''),
    content: writeContent({
      kind: 'reaction',
      action: 'added',
      schema: 'unicode',
      content: '👍',
      reference,
      referenceInboxId: '',
    }),
    reference,
  })
  const reaction = { type: 'Reaction', content: '👍', reference: first }
  const { cid } = (await alice.invoke('chat.send', bob.did, reaction)) as { cid: string }
  expect(await facet.find(liking(second), neverAborted)).toBeNull()
  expect(await facet.find(liking(first), neverAborted)).toEqual({ remoteIds: [cid] })
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
  const { facet, id, test } = await enrolled(sandbox, alice)
  await bob.sendText(alice.did, 'from Bob')
  const gone = await carol.sendText(alice.did, 'from Carol')
  const errors = () => test.context.logs.filter(({ level }) => level === 'error')
  for (const heal of [true, false]) {
    sandbox.faults.failWith(404, Number.POSITIVE_INFINITY, { path: gone })
    for (let walk = 1; walk < 6; walk++) {
      const texts: string[] = []
      await expect(walkInto(texts, facet, id)).rejects.toMatchObject({ class: 'permanent', remoteCode: 404 })
      expect(texts).toEqual(['from Bob'])
    }
    expect(errors()).toEqual([])
    if (heal) sandbox.faults.healCalls()
    // Patience begins anew when the chat could be read.
    expect((await walked(facet, id)).sort()).toEqual(heal ? ['from Bob', 'from Carol'] : ['from Bob'])
  }
  expect(errors()).toHaveLength(1)
  sandbox.faults.healCalls()
  sandbox.faults.failWith(503, Number.POSITIVE_INFINITY, { path: gone })
  await expect(walked(facet, id)).rejects.toMatchObject({ class: 'retryable' })
  sandbox.faults.healCalls()
  expect((await walked(facet, id)).sort()).toEqual(['from Bob', 'from Carol'])
}, 240_000)

it('a chat whose answers are none is given up in the end', async () => {
  const { sandbox, alice, bob, user } = await setUp()
  const carol = await user()
  const { facet, id } = await enrolled(sandbox, alice)
  await bob.sendText(alice.did, 'from Bob')
  const gone = await carol.sendText(alice.did, 'from Carol')
  sandbox.faults.failWith(200, Number.POSITIVE_INFINITY, { path: gone })
  for (let walk = 1; walk < 6; walk++) {
    await expect(walked(facet, id)).rejects.toMatchObject({ remoteCode: 'malformed-answer' })
  }
  expect(await walked(facet, id)).toEqual(['from Bob'])
}, 240_000)

it('one that was completed and is then cancelled is closed', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { test, facet, id } = await enrolled(sandbox, alice)
  await facet.cancel(id)
  expect(states(test, id).at(-1)).toBe('stopped')
  await expect(facet.send(intentOf(id, { wallet: bob.wallet }, 'no'), neverAborted)).rejects.toMatchObject({
    class: 'retryable',
  })
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

it('the key leaves the thread when the wallet has made new ones, and when the enrolment ends meanwhile', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { host, create } = createAccounts(sandbox)
  /** Calls that the SDK makes with the account’s key. */
  async function uses(id: string): Promise<number> {
    let calls = 0
    const transport = () => Promise.reject(new Error(`call ${++calls} of the SDK`))
    await expect(host.running()?.account(id).accept(bob.did, transport)).rejects.toThrow()
    return calls
  }
  const names = ['checked', 'ended', 'unheard']
  const accounts = await Promise.all(names.map(async (id) => create(id, alice.did, await keyOf(alice))))
  const [checked, ended, unheard] = accounts
  for (const account of accounts) await account.admit(neverAborted)
  for (const id of names) expect(await uses(id)).toBeGreaterThan(0)
  sandbox.faults.failWith(503, Number.POSITIVE_INFINITY, { path: '/v2/users' })
  await expect(unheard?.check(neverAborted)).rejects.toMatchObject({ status: 503 })
  await unheard?.dispose()
  expect(await uses('unheard')).toBe(0)
  sandbox.faults.healCalls()
  await alice.invoke('reinitialize', { versionMeta: {} })
  await expect(checked?.check(neverAborted)).rejects.toMatchObject({ code: 'key-replaced' })
  expect(await uses('checked')).toBe(0)
  await expect(ended?.check(neverAborted)).rejects.toMatchObject({ code: 'key-replaced' })
  await ended?.dispose()
  expect(await uses('ended')).toBe(0)
}, 240_000)

it('the key goes into a new thread when one has ended, and nowhere after the end', async () => {
  const { sandbox, alice, bob } = await setUp()
  const { host, create } = createAccounts(sandbox)
  const key = await keyOf(alice)
  const account = create('one', alice.did, key)
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
  const other = create('two', bob.did, await keyOf(alice))
  await expect(other.admit(neverAborted)).rejects.toMatchObject({ code: 'key-replaced' })
  await other.dispose()
}, 240_000)
