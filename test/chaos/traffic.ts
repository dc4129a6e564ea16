/** Wallets that write to each other without end, over HTTP and over networks, and what became of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Journey } from '../../src/client/index.ts'
import { openDeliveries } from './deliveries.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { type Ledger, missingFrom } from './ledger.ts'
import type { RunningNetwork } from './networks/index.ts'
import { type InboxReader, isAway, type Person, seal } from './people.ts'
import type { SeededRandom } from './random.ts'

/** Between two sends of one way, over HTTP and over a network, in milliseconds. */
const HTTP_PAUSE_MS = 20
const NETWORK_PAUSE_MS = 120
const CONVERGENCE_LIMIT_MS = 180_000
/** How long the harness waits before it calls a message lost. */
export const PATIENCE_MS = 120_000
export const ADMIN_TOKEN = 'chaos-admin-token-of-this-run'

/** Configuration of a gateway in the harness: no limit of its own is in the way. */
export function gatewayValues(networks: readonly RunningNetwork[]): Record<string, unknown> {
  return {
    networks: Object.fromEntries(networks.map(({ adapter, gatewayConfig }) => [adapter, gatewayConfig])),
    relay: { reconcileIntervalMs: 5_000 },
    limits: {
      walletPerSecond: 10_000,
      walletBurst: 10_000,
      addressPerSecond: 100_000,
      addressBurst: 100_000,
      signInsPerMinute: 1_000,
      streamsPerWallet: 1_000,
    },
    admin: { token: ADMIN_TOKEN },
    log: { level: 'error' },
  }
}

export interface Traffic {
  /** Messages acknowledged over HTTP so far. */
  acknowledged(): number
  /** An error that is not merely the gateway being away. */
  failure(): Error | null
  /** Sends nothing new meanwhile: whoever reads to the end of an inbox would not get there while it grows as fast. */
  pausedFor(work: () => Promise<void>): Promise<void>
  /** Lets sends under way end. */
  stop(): Promise<void>
}

/** Every way sends on and on, each at its own pace. */
export function startTraffic(options: {
  people: readonly Person[]
  networks: readonly RunningNetwork[]
  ledger: Ledger
  random: SeededRandom
  /** A network may refuse a message: it is sent again until it is taken. */
  insists?: boolean
  /** Between two sends of one way, in milliseconds. Default: 20 over HTTP, 120 over a network. */
  pauseMs?: number
}): Traffic {
  const { people, networks, ledger } = options
  const stopped = new AbortController()
  let failure: Error | null = null
  let acknowledged = 0
  let pause = Promise.resolve()

  async function drive(
    way: string,
    pauseMs: number,
    random: SeededRandom,
    send: (from: Person, to: Person, message: Awaited<ReturnType<typeof seal>>) => Promise<boolean>,
  ): Promise<void> {
    for (let count = 1; !stopped.signal.aborted; count++) {
      await pause
      const from = random.pick(people)
      const to = random.pick(people.filter((person) => person !== from))
      const message = await seal(from, { to: to.client.account, text: `${way} ${count}` }, stopped.signal)
      const record = { id: message.id, from, to, way, acknowledgedAt: null as number | null }
      ledger.sent.push(record)
      if (await send(from, to, message)) record.acknowledgedAt = Date.now()
      await sleep(pauseMs)
    }
  }

  /** Half of the senders try again until it is acknowledged, as a good client does; the others leave it at that. */
  const overHttp = (random: SeededRandom) =>
    drive('http', options.pauseMs ?? HTTP_PAUSE_MS, random, async (from, _to, message) => {
      const patient = random.chance(0.5)
      for (;;) {
        try {
          await from.client.submit(message)
          acknowledged++
          return true
        } catch (error) {
          if (!isAway(error)) throw error
          if (!patient || stopped.signal.aborted) return false
          await sleep(HTTP_PAUSE_MS)
        }
      }
    })
  const overNetwork = (network: RunningNetwork, random: SeededRandom) =>
    drive(network.name, options.pauseMs ?? NETWORK_PAUSE_MS, random, async (from, to, message) => {
      const send = () => network.send(from, to, message)
      await (options.insists ? untilTaken(send) : send())
      return true
    })
  const loops = [
    ...[1, 2, 3].map((loop) => overHttp(options.random.fork(`http ${loop}`))),
    ...networks.map((network) => overNetwork(network, options.random.fork(network.name))),
  ].map((loop) =>
    loop.catch((error: unknown) => {
      if (!stopped.signal.aborted) failure = error instanceof Error ? error : new Error(String(error))
    }),
  )
  return {
    acknowledged: () => acknowledged,
    failure: () => failure,
    async pausedFor(work) {
      const { promise, resolve } = Promise.withResolvers<void>()
      pause = promise
      try {
        await work()
      } finally {
        resolve()
      }
    },
    async stop() {
      stopped.abort(new Error('the traffic has ended'))
      await Promise.all(loops)
    },
  }
}

/** A wallet's own client tries until its network takes the message. */
export async function untilTaken(send: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      await send()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await sleep(250)
    }
  }
}

/** Waits until inboxes hold everything and no delivery is open. Answers what is not so after the limit. */
export async function converged(
  gateway: Pick<GatewayProcess, 'url'>,
  ledger: Ledger,
  readers: readonly InboxReader[],
): Promise<string[]> {
  const deadline = performance.now() + CONVERGENCE_LIMIT_MS
  for (;;) {
    const open = (await openDeliveries(gateway.url, ADMIN_TOKEN)).map(({ text }) => text)
    for (const reader of readers) await reader.readOn()
    if (open.length === 0 && missingFrom(ledger, readers).length === 0) return []
    if (performance.now() > deadline) return open
    await sleep(200)
  }
}

/** Journeys of the envelopes of which a network holds more than one copy. */
export async function journeysOf(ledger: Ledger, copies: Map<string, number>): Promise<Map<string, Journey>> {
  const journeys = new Map<string, Journey>()
  for (const [key, count] of copies) {
    const id = key.slice(key.indexOf(' ') + 1)
    const record = ledger.sent.find((sent) => sent.id === id)
    if (count > 1 && record) journeys.set(id, await record.from.client.journey(id))
  }
  return journeys
}

/** Envelopes by way: sent, and acknowledged. */
export type Ways = Record<string, { sent: number; acknowledged: number }>

export function countWays(ledger: Ledger): Ways {
  const ways: Ways = {}
  for (const { way, acknowledgedAt } of ledger.sent) {
    ways[way] ??= { sent: 0, acknowledged: 0 }
    ways[way].sent++
    if (acknowledgedAt !== null) ways[way].acknowledged++
  }
  return ways
}
