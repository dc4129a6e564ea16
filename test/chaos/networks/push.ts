/** Push: the gateway reaches the sandbox's node through a proxy, REST and socket; wallets have users of the real SDK. */
import { didOfKey } from '../../../adapters/push/account.ts'
import { decodeText, encodeText } from '../../../adapters/push/carriage.ts'
import { type PushSandbox, startSandbox } from '../../../adapters/push/sandbox/index.ts'
import { connectPushUser, type PushUser } from '../../../adapters/push/sandbox/sdk-user.ts'
import { decodeFrame, toHex } from '../../../src/envelope/index.ts'
import { hear, type Person } from '../people.ts'
import { startTcpProxy } from '../tcp-proxy.ts'
import type { ChaosNetwork, FaultKind, NetworkOptions, RunningNetwork } from './row.ts'
import { tcpFaults } from './row.ts'

const NETWORK = 'push'
/** The most that the SDK reads of a history at once. */
const HISTORY_PAGE = 30

interface HistoryMessage {
  cid: string
  link: string | null
  fromDID: string
  messageObj: { content?: unknown }
}

export const push: ChaosNetwork = { name: NETWORK, start }

async function start({ random, directory }: NetworkOptions): Promise<RunningNetwork> {
  const sandbox = await startSandbox({ seed: random.between(1, 999_999), directory })
  const baseUrl = sandbox.addresses.rest ?? ''
  const proxy = await startTcpProxy(Number(new URL(baseUrl).port), random.fork('node'))
  const gateway = didOfKey(String(sandbox.gatewayConfig.walletKey))
  const users = new Map<Person, PushUser>()
  const readers = new Map<Person, Reader>()
  return {
    name: NETWORK,
    adapter: NETWORK,
    gatewayConfig: {
      ...sandbox.gatewayConfig,
      url: `http://127.0.0.1:${proxy.port}/apis`,
      probeIntervalMs: 1_000,
      requestTimeoutMs: 3_000,
      reconnectMaxMs: 1_000,
    },
    connectGateway: async () => undefined,
    async join(person) {
      const user = await connectPushUser({ baseUrl, signer: person.signer })
      user.onMessage(({ content }) => {
        const frame = typeof content === 'string' ? decodeText(content) : null
        if (frame) void hear(person, NETWORK, frame)
      })
      users.set(person, user)
      readers.set(person, createReader(user, gateway))
    },
    /** To the gateway, which hears its own account and nothing else. */
    async send(from, _to, { frame }) {
      const user = users.get(from)
      if (!user) throw new Error(`${from.name} has no Push user`)
      await user.sendText(gateway, encodeText(frame))
    },
    async copies(people) {
      const counts = new Map<string, number>()
      for (const person of people) {
        for (const [id, count] of (await readers.get(person)?.()) ?? []) {
          counts.set(`${users.get(person)?.did} ${id}`, count)
        }
      }
      return counts
    },
    proxies: [proxy],
    faults: [...tcpFaults('node', proxy, false), ...nodeFaults(sandbox)],
    async stop() {
      await Promise.all([...users.values()].map((user) => user.close()))
      await sandbox.stop()
      await proxy.stop()
    },
  }
}

type Reader = () => Promise<Map<string, number>>

/** Counts the envelopes that the gateway wrote to a user, by the chat's history; what was read is not read again. */
function createReader(user: PushUser, gateway: string): Reader {
  const counts = new Map<string, number>()
  let head: string | null = null
  return async () => {
    let reference: string | null = null
    let newest: string | null = null
    for (;;) {
      const page = (await user.invoke('chat.history', gateway, {
        limit: HISTORY_PAGE,
        ...(reference ? { reference } : {}),
      })) as HistoryMessage[]
      for (const { cid, fromDID, messageObj } of page) {
        newest ??= cid
        if (cid === head) {
          head = newest
          return counts
        }
        const frame =
          fromDID === gateway && typeof messageObj.content === 'string'
            ? decodeText(messageObj.content)
            : null
        if (!frame) continue
        const id = toHex(decodeFrame(frame).id)
        counts.set(id, (counts.get(id) ?? 0) + 1)
      }
      reference = page.at(-1)?.link ?? null
      if (reference === null) {
        head = newest
        return counts
      }
    }
  }
}

function nodeFaults({ faults }: PushSandbox): FaultKind[] {
  const switched = (
    name: string,
    put: (on: boolean) => Promise<void> | void,
    more: Partial<FaultKind> = {},
  ): FaultKind => ({ name, start: () => put(true), heal: () => put(false), ...more })
  const failing = (status: number, method: 'GET' | 'POST' | 'PUT', path: string) => ({
    name: `${method} …${path} answers ${status}`,
    start: () => faults.failWith(status, Number.POSITIVE_INFINITY, { method, path }),
    heal: () => faults.healCalls(),
  })
  return [
    switched('node down', faults.outage, { cutsClients: true }),
    switched('half of the events lost', (on) => faults.loss(on ? 0.5 : 0)),
    switched('events late', (on) => faults.latency(on ? 700 : 0)),
    switched('events doubled', (on) => faults.duplication(on ? 1 : 0)),
    switched('events out of order', (on) => faults.reordering(on ? 1 : 0)),
    failing(503, 'POST', '/chat/message'),
    failing(429, 'POST', '/chat/message'),
    failing(500, 'GET', '/chats'),
    failing(503, 'GET', '/conversationhash/'),
    {
      name: 'messages hang',
      start: () => faults.hang(Number.POSITIVE_INFINITY, { method: 'POST', path: '/chat/' }),
      heal: () => faults.healCalls(),
      cutsClients: true,
    },
    {
      name: 'answers lost after success',
      start: () => faults.answerLost(Number.POSITIVE_INFINITY),
      heal: () => faults.healCalls(),
    },
    { name: 'sockets cut', start: faults.cutSockets, heal: () => undefined },
  ]
}
