import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import definition from '../../adapters/xmtp/index.ts'
import { connectClient, type XmtpNetworkClient } from '../../adapters/xmtp/sandbox/client.ts'
import { startSandbox } from '../../adapters/xmtp/sandbox/index.ts'
import { inboxIdOf } from '../../adapters/xmtp/wallet.ts'
import { connectNode } from '../../adapters/xmtp/wire/client.ts'
import { SORT_DESCENDING } from '../../adapters/xmtp/wire/index.ts'
import { type ContractHarness, describeAdapterContract } from '../../src/adapter/testing/index.ts'
import { seededRandom } from '../chaos/random.ts'
import { startTcpProxy } from '../chaos/tcp-proxy.ts'

/** The sandbox with two real SDK clients, and a proxy by which the gateway alone is cut off. */
async function setup(): Promise<ContractHarness> {
  const sandbox = await startSandbox()
  const proxy = await startTcpProxy(Number(new URL(sandbox.addresses.grpc).port), seededRandom(1))
  // One database for the adapters of all checks, as for all starts of one gateway: each other one is a new installation.
  const databaseDirectory = await mkdtemp(join(tmpdir(), 'causeway-xmtp-contract-'))
  const config = {
    ...sandbox.gatewayConfig,
    apiUrl: `http://127.0.0.1:${proxy.port}`,
    databaseDirectory,
    probeIntervalMs: 1_000,
  }
  const node = connectNode(sandbox.addresses.grpc)
  const gatewayInbox = inboxIdOf(new Wallet(sandbox.gatewayConfig.walletKey as string).address)
  const attach = async (secret: string) => {
    const signer = new Wallet(`0x${secret.repeat(32)}`)
    const client = await connectClient({
      address: inboxIdOf(signer.address),
      description: { environment: 'local', apiUrl: sandbox.addresses.grpc },
      credentials: null,
      signer,
    })
    const frames: Uint8Array[] = []
    client.onFrame((frame) => frames.push(frame))
    return { wallet: `eip155:*:${signer.address.toLowerCase()}`, address: client.address, client, frames }
  }
  const wallets = await Promise.all([attach('a1'), attach('b2')])
  const clientAt = (address: string) => {
    const found = wallets.find((wallet) => wallet.address === address)
    if (!found) throw new Error('no client is attached at this address')
    return found
  }
  return {
    definition,
    config,
    wallets: wallets.map(({ wallet, address }) => ({ wallet, address })),
    heardAt: 'gateway',
    network: {
      // To the recipient over XMTP itself, and to the gateway for all other networks.
      async inject(frame, { from, to }) {
        const { client } = clientAt(from)
        await client.send(to, frame)
        return client.send(gatewayInbox, frame)
      },
      received: async (address) => clientAt(address).frames,
      outage: (on) => (on ? proxy.apply({ kind: 'refuse' }) : proxy.heal()),
    },
    mirroring: {
      async registration({ address }) {
        for (const { client } of wallets) {
          if (client.address !== address)
            await (await client.client.conversations.createDm(address)).sendText('hello')
        }
        return registrationOf(clientAt(address).client.client)
      },
      async write({ from, to }, texts) {
        const dm = await clientAt(from.address).client.client.conversations.createDm(to.address)
        for (const text of texts) await dm.sendText(text)
        const pagingInfo = { direction: SORT_DESCENDING, limit: texts.length, idCursor: '0' }
        const written = await node.readGroupMessages({ groupId: Buffer.from(dm.id, 'hex'), pagingInfo })
        return written.map(({ bytes }) => Uint8Array.from(bytes)).toReversed()
      },
    },
    async teardown() {
      node.close()
      await Promise.all(wallets.map(({ client }) => client.close()))
      await proxy.stop()
      await sandbox.stop()
      await rm(databaseDirectory, { recursive: true, force: true })
    },
  }
}

/** The conversations of a wallet, once all it was taken into are there. */
async function registrationOf(client: XmtpNetworkClient['client']): Promise<unknown> {
  await client.conversations.syncAll()
  const keys = client.conversations.hmacKeys()
  return {
    installations: [client.installationId],
    conversations: (await client.conversations.list()).map(({ id }) => ({
      id,
      hmacKeys: (keys[id] ?? []).map(({ key, epoch }) => ({
        epoch: Number(epoch),
        key: Buffer.from(key).toString('base64url'),
      })),
    })),
  }
}

describeAdapterContract({ name: 'xmtp', setup })
