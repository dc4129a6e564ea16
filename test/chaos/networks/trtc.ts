/** TRTC: REST calls and webhooks each through a proxy of their own, wallets with the real SDK. */
import { randomInt } from 'node:crypto'
import { decodeMessage } from '../../../adapters/trtc/carriage.ts'
import { connectClient, startSandbox, type TrtcSandbox } from '../../../adapters/trtc/sandbox/index.ts'
import type { NetworkClient } from '../../../src/adapter/index.ts'
import { decodeFrame, toHex } from '../../../src/envelope/index.ts'
import { hear, type Person } from '../people.ts'
import { startTcpProxy, type TcpProxy } from '../tcp-proxy.ts'
import type { ChaosNetwork, FaultKind, NetworkOptions, RunningNetwork } from './row.ts'
import { tcpFaults } from './row.ts'

const NETWORK = 'trtc'
const CLOCK_SHIFT_MS = 5 * 60_000

interface HistoryPage {
  ErrorCode: number
  Complete: number
  LastMsgKey: string
  MsgList: { From_Account: string; To_Account: string; MsgBody: unknown; CloudCustomData: unknown }[]
}

export const trtc: ChaosNetwork = { name: NETWORK, start }

async function start({ random }: NetworkOptions): Promise<RunningNetwork> {
  let shiftMs = 0
  const sandbox = await startSandbox({ seed: random.between(1, 999_999), now: () => Date.now() + shiftMs })
  const rest = await startTcpProxy(
    Number(new URL(sandbox.addresses.rest as string).port),
    random.fork('rest'),
  )
  let webhooks: TcpProxy | null = null
  const clients = new Map<Person, NetworkClient>()
  const proxies = [rest]
  const faults: FaultKind[] = [
    ...tcpFaults('REST', rest, false),
    ...serviceFaults(sandbox),
    ...([CLOCK_SHIFT_MS, -CLOCK_SHIFT_MS] as const).map((shift) => ({
      name: `clock of the network 5 minutes ${shift > 0 ? 'ahead' : 'behind'}`,
      start: () => {
        shiftMs = shift
      },
      heal: () => {
        shiftMs = 0
      },
    })),
  ]

  async function history(owner: string, peer: string): Promise<HistoryPage['MsgList']> {
    const messages: HistoryPage['MsgList'] = []
    for (let LastMsgKey = ''; ; ) {
      const query = new URLSearchParams({
        sdkappid: String(sandbox.app.sdkAppId),
        identifier: sandbox.app.adminUserId,
        usersig: sandbox.userSig(sandbox.app.adminUserId),
        random: String(randomInt(2 ** 32 - 1)),
        contenttype: 'json',
      })
      const response = await fetch(`${sandbox.addresses.rest}/v4/openim/admin_getroammsg?${query}`, {
        method: 'POST',
        body: JSON.stringify({
          Operator_Account: owner,
          Peer_Account: peer,
          MaxCnt: 100,
          MinTime: 0,
          MaxTime: 2 ** 31,
          ...(LastMsgKey ? { LastMsgKey } : {}),
        }),
      })
      const page = (await response.json()) as HistoryPage
      if (page.ErrorCode !== 0) return messages
      messages.push(...page.MsgList)
      if (page.Complete === 1 || page.MsgList.length === 0) return messages
      LastMsgKey = page.LastMsgKey
    }
  }

  return {
    name: NETWORK,
    adapter: NETWORK,
    gatewayConfig: {
      ...sandbox.gatewayConfig,
      restUrl: `http://127.0.0.1:${rest.port}`,
      requestsPerSecond: 2_000,
      requestTimeoutMs: 3_000,
    },
    async connectGateway(port) {
      webhooks = await startTcpProxy(port, random.fork('webhooks'))
      proxies.push(webhooks)
      faults.push(...tcpFaults('webhooks', webhooks, false))
      sandbox.connectGateway({ baseUrl: `http://127.0.0.1:${webhooks.port}` })
    },
    async join(person) {
      const client = await connectClient({
        address: addressOf(person),
        description: {},
        credentials: await person.client.credentials(NETWORK),
      })
      client.onFrame((frame) => void hear(person, NETWORK, frame))
      clients.set(person, client)
    },
    async send(from, to, { frame }) {
      const client = clients.get(from)
      if (!client) throw new Error(`${from.name} has no TRTC client`)
      await client.send(addressOf(to), frame)
    },
    async copies(people) {
      const counts = new Map<string, number>()
      const senders = [...people.map(addressOf), sandbox.app.adminUserId]
      for (const [index, one] of senders.entries()) {
        for (const other of senders.slice(index + 1)) {
          for (const message of await history(one, other)) {
            const carried = decodeMessage(message.MsgBody, message.CloudCustomData)
            if (!carried) continue
            const key = `${message.To_Account} ${toHex(decodeFrame(carried.frame).id)}`
            counts.set(key, (counts.get(key) ?? 0) + 1)
          }
        }
      }
      return counts
    },
    proxies,
    faults,
    async stop() {
      await Promise.all([...clients.values()].map((client) => client.close()))
      await sandbox.stop()
      await Promise.all(proxies.map((proxy) => proxy.stop()))
    },
  }
}

function serviceFaults({ faults }: TrtcSandbox): FaultKind[] {
  const failing = (name: string, code: number): FaultKind => ({
    name: `${name} (${code})`,
    start: () => faults.failing(code),
    heal: () => faults.failing(null),
  })
  const switched = (
    name: string,
    put: (on: boolean) => Promise<void> | void,
    more: Partial<FaultKind> = {},
  ): FaultKind => ({ name, start: () => put(true), heal: () => put(false), ...more })
  return [
    switched('service down', faults.outage, { cutsClients: true }),
    switched('gateway cut off', faults.gatewayOutage),
    failing('too many calls', 60_011),
    failing('frequency limit', 60_018),
    failing('internal timeout', 60_008),
    failing('internal error', 70_169),
    failing('UserSig expired', 70_001),
    switched('answers lost after success', (on) => faults.answersLost(on)),
    ...[429, 500, 502, 503].map((status) =>
      switched(`HTTP ${status}`, (on) => faults.httpStatus(on ? status : null)),
    ),
    switched('webhooks doubled', (on) => faults.duplication(on ? 1 : 0)),
    switched('webhooks lost', (on) => faults.loss(on ? 1 : 0)),
    switched('webhooks out of order', (on) => faults.reordering(on ? 1 : 0)),
    switched('webhooks late', (on) => faults.latency(on ? 700 : 0)),
  ]
}

function addressOf({ name, addresses }: Person): string {
  const address = addresses.get(NETWORK)
  if (!address) throw new Error(`${name} has no address on TRTC`)
  return address
}
