/** Users of the unmodified SDK on the stand-in: what works for them here is what they send and need. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/index.ts'
import { addressOfDid } from '../did.ts'
import { type PushSandbox, type PushSandboxOptions, startSandbox } from './index.ts'
import { connectPushUser, type PushUser } from './sdk-user.ts'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(options: PushSandboxOptions = {}): Promise<PushSandbox> {
  const sandbox = await startSandbox(options)
  closing.push(() => sandbox.stop())
  return sandbox
}

async function enter(sandbox: PushSandbox, signer = Wallet.createRandom()): Promise<PushUser> {
  const user = await connectPushUser({ baseUrl: sandbox.addresses.rest!, signer })
  closing.push(() => user.close())
  return user
}

const texts = (user: PushUser) => user.messages.map(({ content }) => content)
const arrives = (user: PushUser, content: string) =>
  waitFor(() => texts(user).includes(content), { what: `"${content}" to arrive` })

describe('direct chats', () => {
  it('a request is streamed and accepted, then both write; both read it back decrypted', async () => {
    const sandbox = await start()
    const [alice, bob] = await Promise.all([enter(sandbox), enter(sandbox)])
    await alice.sendText(bob.did, 'first')
    await arrives(bob, 'first')
    await waitFor(() => sandbox.calls.get('PUT /v1/chat/request/accept'), {
      what: 'the request to be accepted',
    })
    await bob.sendText(alice.did, 'second')
    await arrives(alice, 'second')
    const history = (await alice.invoke('chat.history', bob.did)) as { messageObj: { content: string } }[]
    expect(history.map(({ messageObj }) => messageObj.content)).toEqual(['second', 'first'])
    expect(sandbox.calls.get('POST /v1/chat/request')).toBe(1)
    expect(sandbox.calls.get('POST /v1/chat/message')).toBe(1)
  })

  it('a wrong signature is refused, and a badly signed message in a history is not decrypted', async () => {
    const sandbox = await start()
    const [alice, bob] = await Promise.all([enter(sandbox), enter(sandbox)])
    await alice.sendText(bob.did, 'genuine')
    await arrives(bob, 'genuine')
    sandbox.faults.plantBadlySigned(alice.did, bob.did)
    await expect(bob.invoke('chat.history', alice.did)).rejects.toThrow(/could not be verified/i)
    const forged = await fetch(`${sandbox.addresses.rest}/v1/chat/message`, {
      method: 'POST',
      body: JSON.stringify({
        fromDID: alice.did,
        toDID: bob.did,
        fromCAIP10: alice.did,
        toCAIP10: bob.did,
        messageType: 'Text',
        encType: 'PlainText',
        verificationProof: 'pgpv3:nothing',
      }),
    })
    expect(forged.status).toBe(403)
  })

  it('socket events can be lost while the history has them, doubled, and out of order', async () => {
    const sandbox = await start()
    const [alice, bob] = await Promise.all([enter(sandbox), enter(sandbox)])
    await alice.sendText(bob.did, 'one')
    await arrives(bob, 'one')
    sandbox.faults.loss(1)
    await alice.sendText(bob.did, 'lost')
    sandbox.faults.loss(0)
    sandbox.faults.outOfOrder(2)
    await alice.sendText(bob.did, 'three')
    await alice.sendText(bob.did, 'four')
    await arrives(bob, 'three')
    expect(texts(bob)).not.toContain('lost')
    const history = (await bob.invoke('chat.history', alice.did)) as { messageObj: { content: string } }[]
    expect(history.map(({ messageObj }) => messageObj.content)).toEqual(['four', 'three', 'lost', 'one'])
  })
})

it('a private group of three: created, joined, written to', async () => {
  const sandbox = await start()
  const [alice, bob, carol] = await Promise.all([enter(sandbox), enter(sandbox), enter(sandbox)])
  const group = (await alice.invoke('chat.group.create', 'trio', {
    description: 'three of us',
    members: [addressOfDid(bob.did), addressOfDid(carol.did)],
    private: true,
  })) as { chatId: string; pendingMembers: unknown[] }
  expect(group.pendingMembers).toHaveLength(2)
  await bob.invoke('chat.group.join', group.chatId)
  await carol.invoke('chat.group.join', group.chatId)
  await bob.sendText(group.chatId, 'to all')
  await Promise.all([arrives(alice, 'to all'), arrives(carol, 'to all')])
})

it('notifications: to subscribers, to one, and to others as spam', async () => {
  const sandbox = await start()
  const [alice, bob, carol] = await Promise.all([enter(sandbox), enter(sandbox), enter(sandbox)])
  await bob.invoke('notification.subscribe', `eip155:11155111:${addressOfDid(alice.did)}`)
  const notification = (title: string) => ({ notification: { title, body: 'text' } })
  await alice.invoke('channel.send', [addressOfDid(bob.did)], notification('targeted'))
  await alice.invoke('channel.send', ['*'], notification('broadcast'))
  await alice.invoke('channel.send', [addressOfDid(carol.did)], notification('unasked'))
  const inbox = (await bob.invoke('notification.list', 'INBOX')) as { notification: { title: string } }[]
  expect(inbox.map(({ notification: { title } }) => title)).toEqual(['broadcast', 'targeted'])
  expect(await carol.invoke('notification.list', 'INBOX')).toEqual([])
  expect(await carol.invoke('notification.list', 'SPAM')).toHaveLength(1)
})

it('everything is there again after a restart with a folder', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'push-sandbox-'))
  closing.push(() => rm(directory, { recursive: true, force: true }))
  const [signer, other] = [Wallet.createRandom(), Wallet.createRandom()]
  const first = await startSandbox({ directory })
  const alice = await connectPushUser({ baseUrl: first.addresses.rest!, signer })
  const bob = await connectPushUser({ baseUrl: first.addresses.rest!, signer: other })
  await alice.sendText(bob.did, 'kept')
  await arrives(bob, 'kept')
  await Promise.all([alice.close(), bob.close()])
  await first.stop()
  const second = await start({ directory })
  const again = await enter(second, signer)
  const history = (await again.invoke('chat.history', bob.did)) as { messageObj: { content: string } }[]
  expect(history.map(({ messageObj }) => messageObj.content)).toEqual(['kept'])
  expect(second.calls.get('POST /v2/users/')).toBeUndefined()
})

it('users of two nodes in one process do not meet', async () => {
  const [one, two] = await Promise.all([start({ seed: 1 }), start({ seed: 2 })])
  const signer = Wallet.createRandom()
  const [there, here, peer] = [await enter(one, signer), await enter(two, signer), await enter(one)]
  await peer.sendText(there.did, 'only on the first')
  await arrives(there, 'only on the first')
  expect(here.messages).toEqual([])
  expect(two.calls.get('POST /v1/chat/request')).toBeUndefined()
  expect(one.calls.get('POST /v2/users/')).toBe(2)
  expect(two.calls.get('POST /v2/users/')).toBe(1)
})
