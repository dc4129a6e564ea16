/** XMTP: the gateway reaches the sandbox's node through a proxy, wallets have clients of the real SDK. */

import { Wallet } from 'ethers'
import { type EnvelopeContent, isEnvelope } from '../../../adapters/xmtp/codec.ts'
import { connectClient, startSandbox, type XmtpSandbox } from '../../../adapters/xmtp/sandbox/index.ts'
import { inboxIdOf } from '../../../adapters/xmtp/wallet.ts'
import { decodeFrame, toHex } from '../../../src/envelope/index.ts'
import { hear, type Person } from '../people.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import type { ChaosNetwork, FaultKind, NetworkOptions, RunningNetwork } from './row.ts'
import { tcpFaults } from './row.ts'

const NETWORK = 'xmtp'
/** A person's client reads on its own when its stream is not enough. */
const SYNC_EVERY_MS = 1_000

type Joined = Awaited<ReturnType<typeof connectClient>>

export const xmtp: ChaosNetwork = { name: NETWORK, start }

async function start({ random, directory }: NetworkOptions): Promise<RunningNetwork> {
  const sandbox = await startSandbox({ seed: random.between(1, 999_999), directory })
  const { grpc } = sandbox.addresses
  const proxy = await startTcpProxy(Number(new URL(grpc).port), random.fork('node'))
  const gatewayInboxId = inboxIdOf(new Wallet(sandbox.gatewayConfig.walletKey as string).address)
  const clients = new Map<Person, Joined>()
  let syncedAt = 0
  return {
    name: NETWORK,
    adapter: NETWORK,
    gatewayConfig: {
      ...sandbox.gatewayConfig,
      apiUrl: `http://127.0.0.1:${proxy.port}`,
      probeIntervalMs: 1_000,
    },
    connectGateway: async () => undefined,
    async join(person) {
      const client = await connectClient({
        address: person.addresses.get(NETWORK) ?? '',
        description: { environment: 'local', apiUrl: grpc, gatewayInboxId },
        credentials: null,
        signer: person.signer,
      })
      client.onFrame((frame) => void hear(person, NETWORK, frame))
      clients.set(person, client)
    },
    /** To the gateway, which hears its own inbox and nothing else. */
    async send(from, _to, { frame }) {
      const client = clients.get(from)
      if (!client) throw new Error(`${from.name} has no XMTP client`)
      await client.send(gatewayInboxId, frame)
    },
    async copies(people) {
      const joined = people.flatMap((person) => clients.get(person) ?? [])
      if (performance.now() - syncedAt > SYNC_EVERY_MS) {
        syncedAt = performance.now()
        // Rejects while the node is down; then what the databases have is all that can be had.
        await Promise.allSettled(joined.map(({ client }) => client.conversations.syncAll()))
      }
      const counts = new Map<string, number>()
      for (const client of joined) await countEnvelopes(client, counts)
      return counts
    },
    proxies: [proxy],
    faults: [...tcpFaults('node', proxy, false).filter(isPossible), ...nodeFaults(sandbox)],
    async stop() {
      await Promise.all([...clients.values()].map((client) => client.close()))
      await sandbox.stop()
      await proxy.stop()
    },
  }
}

/**
 * The network is reached over TLS, where a flipped bit breaks the connection. The stand-in speaks cleartext: there flipped bits
 * would reach the SDK as a message that it cannot decrypt, and such a message it passes over for good.
 */
function isPossible({ name }: FaultKind): boolean {
  return !name.includes('corrupted')
}

/** Envelopes that others wrote to this client, by `<inbox id> <envelope id>`. */
async function countEnvelopes({ client }: Joined, counts: Map<string, number>): Promise<void> {
  for (const conversation of await client.conversations.list()) {
    for (const { content, contentType, senderInboxId } of await conversation.messages()) {
      if (!isEnvelope(contentType) || senderInboxId === client.inboxId) continue
      const { id } = decodeFrame((content as EnvelopeContent).frame)
      const key = `${client.inboxId} ${toHex(id)}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
  }
}

function nodeFaults({ faults }: XmtpSandbox): FaultKind[] {
  const switched = (
    name: string,
    put: (on: boolean) => Promise<void> | void,
    more: Partial<FaultKind> = {},
  ): FaultKind => ({ name, start: () => put(true), heal: () => put(false), ...more })
  const failing = (code: 'UNAVAILABLE' | 'RESOURCE_EXHAUSTED' | 'INTERNAL', method?: string) =>
    switched(`${method ?? 'every call'} answers ${code}`, (on) => faults.failing(on ? code : null, method))
  return [
    switched('node down', faults.outage, { cutsClients: true }),
    switched('node late', (on) => faults.latency(on ? 700 : 0)),
    switched('half of the events break their subscription', (on) => faults.loss(on ? 0.5 : 0)),
    switched('events doubled', (on) => faults.duplication(on ? 1 : 0)),
    switched('events out of order', (on) => faults.reordering(on ? 1 : 0)),
    failing('UNAVAILABLE', 'SendGroupMessages'),
    failing('RESOURCE_EXHAUSTED', 'SendGroupMessages'),
    failing('INTERNAL', 'SendGroupMessages'),
    failing('UNAVAILABLE', 'QueryGroupMessages'),
    failing('UNAVAILABLE'),
    switched('answers lost after success', (on) => faults.answersLost(on)),
    switched('publishing refused: the network has moved on', (on) => faults.migrated(on)),
    switched('queries lag behind', (on) => faults.queryLag(on ? 2_000 : 0)),
    switched('queries answer in part', (on) => faults.queryLimit(on ? 1 : null)),
    { name: 'subscriptions silently gone', start: faults.muteSubscriptions, heal: () => undefined },
    { name: 'subscriptions cut', start: faults.cutSubscriptions, heal: () => undefined },
  ]
}
