/** The node, spoken to by unmodified SDK clients. */

import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { connectClient, startSandbox, type XmtpSandbox } from './index.ts'

let sandbox: XmtpSandbox
const description = () => ({ apiUrl: sandbox.addresses.grpc })
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 7 })
})

afterAll(async () => {
  for (const close of closing.reverse()) await close()
  await sandbox?.stop()
})

async function join() {
  const client = await connectClient({
    address: '',
    description: description(),
    credentials: null,
    signer: Wallet.createRandom(),
  })
  closing.push(() => client.close())
  return client
}

it('two clients exchange frames by DM, live', async () => {
  const [alice, bob] = await Promise.all([join(), join()])
  const heard: [string, string | null][] = []
  bob.onFrame((frame, from) => heard.push([Buffer.from(frame).toString(), from]))
  await alice.send(bob.address, Buffer.from('one'))
  await alice.send(bob.address, Buffer.from('two'))
  await waitFor(() => heard.length === 2)
  expect(heard).toEqual([
    ['one', alice.address],
    ['two', alice.address],
  ])
  const answers: string[] = []
  await bob.send(alice.address, Buffer.from('three'))
  alice.onFrame((frame) => answers.push(Buffer.from(frame).toString()))
  await waitFor(() => answers.length === 1)
  expect(answers).toEqual(['three'])
})

it('a group of three', async () => {
  const [alice, bob, carol] = await Promise.all([join(), join(), join()])
  const group = await alice.client.conversations.createGroup([bob.address, carol.address])
  await group.sendText('to all')
  for (const { client } of [bob, carol]) {
    await client.conversations.syncAll()
    const theirs = await client.conversations.getConversationById(group.id)
    expect((await theirs!.messages()).map(({ content }) => content)).toContain('to all')
  }
})
