/** The node, spoken to by unmodified SDK clients. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { connectClient, startSandbox, type XmtpSandbox } from './index.ts'
import { clientPool, contractSigner, hear, newWallet, textsOf, walletSigner } from './testing/clients.ts'

let sandbox: XmtpSandbox
const pool = clientPool()

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 7 })
  pool.later(() => sandbox.stop())
})

afterAll(() => pool.close(), 60_000)

it('clients register, talk by DM both ways, and the node sees ciphertext alone', async () => {
  const [alice, bob] = await Promise.all([pool.client(apiUrl()), pool.client(apiUrl())])
  const heard = await hear(bob)
  const dm = await alice.conversations.createDm(bob.inboxId)
  await dm.sendText('hello Bob')
  await waitFor(() => heard.texts.length === 1)
  const answer = bob.conversations.getDmByInboxId(alice.inboxId)
  await answer!.sendText('hello Alice')
  await dm.sync()
  expect(await textsOf(alice, dm.id)).toEqual(['hello Bob', 'hello Alice'])
  expect(await textsOf(bob, dm.id)).toEqual(['hello Bob', 'hello Alice'])
  const stored = sandbox.groupMessages(dm.id)
  expect(stored.length).toBeGreaterThanOrEqual(2)
  for (const { data } of stored) expect(Buffer.from(data).includes('hello')).toBe(false)
  await heard.end()
})

it('three clients talk in a group; one that is removed hears no more', async () => {
  const [alice, bob, carol] = await Promise.all([
    pool.client(apiUrl()),
    pool.client(apiUrl()),
    pool.client(apiUrl()),
  ])
  const heard = await hear(carol)
  const group = await alice.conversations.createGroup([bob.inboxId, carol.inboxId])
  await group.sendText('to both')
  await waitFor(() => heard.texts.length === 1)
  await bob.conversations.syncAll()
  const seenByBob = await bob.conversations.getConversationById(group.id)
  await seenByBob!.sendText('from Bob')
  await waitFor(() => heard.texts.length === 2)
  await group.removeMembers([carol.inboxId])
  await group.sendText('without Carol')
  await bob.conversations.syncAll()
  await carol.conversations.syncAll()
  expect(await textsOf(bob, group.id)).toEqual(['to both', 'from Bob', 'without Carol'])
  expect(await textsOf(carol, group.id)).toEqual(['to both', 'from Bob'])
  expect(heard.texts).toEqual(['to both', 'from Bob'])
  expect(sandbox.groupMessages(group.id).some(({ isCommit }) => isCommit)).toBe(true)
  await heard.end()
})

it('a wallet’s network client carries frames, and is restarted from its folder', async () => {
  const [signer, directory] = [newWallet(), pool.folder()]
  const join = (wallet = signer, folder?: string) =>
    connectClient({
      address: '',
      description: { apiUrl: apiUrl(), environment: 'local', gatewayInboxId: 'the gateway’s' },
      credentials: null,
      signer: wallet,
      ...(folder === undefined ? {} : { directory: folder }),
    })
  const alice = await join(newWallet())
  const bob = await join(signer, directory)
  const heard = collect(bob)
  await alice.send(bob.address!, Buffer.from('one'))
  await bob.send(alice.address!, Buffer.from('two'))
  await waitFor(() => heard.length === 1)
  expect(bob.gatewayAddress).toBe('the gateway’s')
  await bob.close()
  await alice.send(bob.address!, Buffer.from('three'))

  const again = await join(signer, directory)
  expect(again.address).toBe(bob.address)
  expect(again.client.installationId).toBe(bob.client.installationId)
  const heardAgain = collect(again)
  await waitFor(() => heardAgain.length === 1)
  expect([heard, heardAgain]).toEqual([[['one', alice.address]], [['three', alice.address]]])
  expect(collect(alice)).toEqual([['two', bob.address]])
  await again.close()
  await alice.close()
}, 60_000)

it('refuses to connect without a wallet, or at another’s address', async () => {
  const input = { description: { apiUrl: apiUrl() }, credentials: null }
  await expect(connectClient({ ...input, address: '' })).rejects.toThrow('signer')
  await expect(connectClient({ ...input, address: 'ab'.repeat(32), signer: newWallet() })).rejects.toThrow(
    'not the inbox id',
  )
})

it('a smart account registers when its contract accepts the signature, and else not', async () => {
  const signature = Buffer.from('any bytes that the contract understands')
  const accepted = `0x${'c1'.repeat(20)}`
  sandbox.setContractWallet(accepted, (request) => signature.equals(request.signature))
  const client = await pool.client(
    apiUrl(),
    contractSigner(accepted, () => signature),
  )
  expect(client.isRegistered).toBe(true)
  expect(sandbox.installations(client.inboxId)).toEqual([client.installationId])
  for (const verdict of [false, undefined]) {
    const refused = `0x${verdict === undefined ? 'c2'.repeat(20) : 'c3'.repeat(20)}`
    if (verdict !== undefined) sandbox.setContractWallet(refused, verdict)
    await expect(
      pool.client(
        apiUrl(),
        contractSigner(refused, () => signature),
      ),
    ).rejects.toThrow()
  }
  const sender = await pool.client(apiUrl())
  const dm = await sender.conversations.createDm(client.inboxId)
  await dm.sendText('to a contract')
  await client.conversations.syncAll()
  expect(await textsOf(client, dm.id)).toEqual(['to a contract'])
})

it('an installation is added and revoked; the revoked one hears no more', async () => {
  const wallet = newWallet()
  const phone = await pool.client(apiUrl(), walletSigner(wallet))
  const gateway = await pool.client(apiUrl(), walletSigner(wallet))
  expect(gateway.inboxId).toBe(phone.inboxId)
  expect(sandbox.installations(phone.inboxId).sort()).toEqual(
    [phone.installationId, gateway.installationId].sort(),
  )
  const sender = await pool.client(apiUrl())
  const dm = await sender.conversations.createDm(phone.inboxId)
  await dm.sendText('to both installations')
  for (const client of [phone, gateway]) {
    await client.conversations.syncAll()
    expect(await textsOf(client, dm.id)).toEqual(['to both installations'])
  }
  await phone.revokeInstallations([gateway.installationIdBytes])
  expect(sandbox.installations(phone.inboxId)).toEqual([phone.installationId])
  // Senders look for changes of a member's installations every five seconds at most.
  await waitFor(
    async () => {
      await dm.sendText('later')
      await gateway.conversations.syncAll()
      const conversation = await gateway.conversations.getConversationById(dm.id)
      return conversation && !conversation.isActive
    },
    { intervalMs: 1_000, timeoutMs: 30_000, what: 'the revoked installation to be removed' },
  )
  await dm.sendText('to the phone alone')
  for (const client of [phone, gateway]) await client.conversations.syncAll()
  expect(await textsOf(phone, dm.id)).toContain('to the phone alone')
  expect(await textsOf(gateway, dm.id)).not.toContain('to the phone alone')
}, 60_000)

it('a process that closed its client ends by itself, and the SDK has said nothing', async () => {
  const module = new URL('./index.ts', import.meta.url)
  const program = `
    const { connectClient } = await import('${module}')
    const { Wallet } = await import('ethers')
    const signer = new Wallet('${newWallet().privateKey}')
    const client = await connectClient({ address: '', description: { apiUrl: '${apiUrl()}' }, credentials: null, signer })
    await client.send('${(await pool.client(apiUrl())).inboxId}', new Uint8Array([1]))
    await client.close()
  `
  const child = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 60_000,
  })
  expect(await child).toMatchObject({ stdout: '', stderr: '' })
}, 90_000)

it('the same seed gives the gateway the same wallet', async () => {
  const [same, other] = await Promise.all([startSandbox({ seed: 7 }), startSandbox({ seed: 8 })])
  expect(same.gatewayConfig.walletKey).toBe(sandbox.gatewayConfig.walletKey)
  expect(other.gatewayConfig.walletKey).not.toBe(sandbox.gatewayConfig.walletKey)
  expect(sandbox.gatewayConfig).toMatchObject({ environment: 'local', apiUrl: apiUrl() })
  await Promise.all([same.stop(), other.stop()])
})

function apiUrl(): string {
  return sandbox.addresses.grpc
}

function collect(client: Awaited<ReturnType<typeof connectClient>>): [string, string | null][] {
  const heard: [string, string | null][] = []
  client.onFrame((frame, from) => heard.push([Buffer.from(frame).toString(), from]))
  return heard
}
