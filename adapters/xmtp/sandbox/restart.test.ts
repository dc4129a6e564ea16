/** The node and its clients, stopped and started again on what they left on disk. */
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { connectNode } from '../wire/client.ts'
import { startSandbox } from './index.ts'
import { clientPool, hear, newWallet, textsOf, walletSigner } from './testing/clients.ts'
import { groupInput, updateBytes } from './testing/messages.ts'

const pool = clientPool()
afterAll(() => pool.close(), 60_000)

it('a conversation goes on after the node and both of its clients were restarted from disk', async () => {
  const [nodeFolder, clientFolder] = [pool.folder(), pool.folder()]
  const wallets = { alice: newWallet(), bob: newWallet() }
  const first = await startSandbox({ directory: nodeFolder })
  const port = Number(new URL(first.addresses.grpc).port)
  const open = (name: keyof typeof wallets, apiUrl: string) =>
    pool.client(apiUrl, walletSigner(wallets[name]), {
      dbPath: join(clientFolder, `${name}.db3`),
      dbEncryptionKey: Buffer.alloc(32, 7),
    })
  const [alice, bob] = await Promise.all([
    open('alice', first.addresses.grpc),
    open('bob', first.addresses.grpc),
  ])
  const dm = await alice.conversations.createDm(bob.inboxId)
  await dm.sendText('before')
  await bob.conversations.syncAll()
  await bob.close()
  await dm.sendText('while Bob was away')
  await alice.close()
  const before = first.groupMessages(dm.id)
  await first.stop()

  const second = await startSandbox({ directory: nodeFolder, port })
  pool.later(() => second.stop())
  expect(second.addresses).toEqual(first.addresses)
  expect(second.groupMessages(dm.id)).toEqual(before)
  expect(second.installations(alice.inboxId)).toEqual([alice.installationId])
  const [aliceAgain, bobAgain] = await Promise.all([
    open('alice', second.addresses.grpc),
    open('bob', second.addresses.grpc),
  ])
  expect(aliceAgain.installationId).toBe(alice.installationId)
  const heard = await hear(bobAgain)
  await waitFor(() => heard.texts.length === 1)
  const dmAgain = aliceAgain.conversations.getDmByInboxId(bob.inboxId)
  await dmAgain!.sendText('after')
  await waitFor(() => heard.texts.length === 2)
  expect(heard.texts).toEqual(['while Bob was away', 'after'])
  expect(await textsOf(bobAgain, dm.id)).toEqual(['before', 'while Bob was away', 'after'])
  expect(second.calls().PublishIdentityUpdate).toBeUndefined()
  const after = second.groupMessages(dm.id)
  expect(BigInt(after.at(-1)!.id)).toBeGreaterThan(BigInt(before.at(-1)!.id))
  expect(BigInt(after.at(-1)!.createdNs)).toBeGreaterThan(BigInt(before.at(-1)!.createdNs))
  await heard.end()
}, 60_000)

it('times grow over a restart though the clock went back, and what was known is known', async () => {
  const directory = pool.folder()
  const groupId = Buffer.from('a group')
  const times: bigint[] = []
  for (const now of [1_800_000_000_000, 1_700_000_000_000]) {
    const sandbox = await startSandbox({ directory, now: () => now })
    const node = connectNode(sandbox.addresses.grpc)
    const send = (body: string) => node.call('SendGroupMessages', { messages: [groupInput(groupId, body)] })
    await send('the same each time')
    await send(`at ${now}`)
    const create = updateBytes('aa', [{ create: '0x01' }])
    const created = node.call('PublishIdentityUpdate', { identityUpdate: create })
    if (times.length === 0) await created
    else await expect(created).rejects.toThrow('Multiple create')
    const stored = sandbox.groupMessages(groupId.toString('hex'))
    times.splice(0, times.length, ...stored.map(({ createdNs }) => BigInt(createdNs)))
    node.close()
    await sandbox.stop()
  }
  expect(times).toHaveLength(3)
  expect(times).toEqual([...times].sort((a, b) => (a < b ? -1 : 1)))
})
