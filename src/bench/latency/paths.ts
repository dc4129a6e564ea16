/** What exactly is measured on each network: a figure without its path says little. */
import type { Cell, NetworkFacts } from './plan.ts'

interface NetworkPaths {
  title: string
  /** Package of its SDK, which clients use. */
  sdk: string
  /** From one client of the network to another. */
  native: string
  /** From a client to the gateway's adapter. */
  in: string
  /** From the gateway's adapter to a client. */
  out: string
  /** The gateway hears only what is sent to itself, and sends it on, on the same network too. */
  relaysToItself: boolean
  /** What `--delay` of the sandbox delays. */
  delays: string
  /** How a client is to be described to that leaves the gateway aside. */
  withoutGateway?: (description: Record<string, unknown>) => Record<string, unknown>
}

const networks: Readonly<Record<string, NetworkPaths>> = {
  waku: {
    title: 'Waku',
    sdk: '@waku/sdk',
    native: '@waku/sdk Light Push → one service node → Filter (no hop of Relay, no RLN)',
    in: '@waku/sdk Light Push → service node → Relay, one hop → the gateway’s node',
    out: 'the gateway’s node → Relay, one hop → service node → Filter of @waku/sdk',
    relaysToItself: false,
    delays: 'each hop of Relay and each push by Filter of the service node',
  },
  trtc: {
    title: 'TRTC',
    sdk: '@tencentcloud/chat',
    native: '@tencentcloud/chat → service → long connection of @tencentcloud/chat',
    in: '@tencentcloud/chat → service → webhook (after sending) → the gateway',
    out: 'REST API of the service → long connection of @tencentcloud/chat',
    relaysToItself: false,
    delays: 'each push to a client and each webhook',
  },
  xmtp: {
    title: 'XMTP',
    sdk: '@xmtp/node-sdk',
    native: '@xmtp/node-sdk send (MLS, gRPC) → node → stream of @xmtp/node-sdk',
    in: '@xmtp/node-sdk send to the gateway’s inbox → node → stream of the gateway',
    out: 'the gateway’s @xmtp/node-sdk send → node → stream of @xmtp/node-sdk',
    relaysToItself: true,
    delays: 'each call and each message of a stream',
  },
  push: {
    title: 'Push',
    sdk: '@pushprotocol/restapi',
    native: '@pushprotocol/restapi send (REST, PGP) → node → socket.io → @pushprotocol/restapi',
    in: '@pushprotocol/restapi send to the gateway’s account (REST) → node → socket.io → the gateway',
    out: 'the gateway’s REST call → node → socket.io → @pushprotocol/restapi',
    relaysToItself: true,
    delays: 'each event of a socket',
    // Its sandbox client writes to the gateway's account where one is named.
    withoutGateway: ({ account: _, ...description }) => description,
  },
}

/** Ways into the gateway that are no networks. */
const entrances: Readonly<Record<string, string>> = { http: 'HTTP', socket: 'WebSocket' }

/** Null for a network that is not known here. */
export function sdkOf(network: string): string | null {
  return networks[network]?.sdk ?? null
}

export function titleOf(network: string): string {
  return networks[network]?.title ?? entrances[network] ?? network
}

/** Short: `XMTP → Push`, `XMTP, native`. */
export function titleOfCell({ path, from, to }: Pick<Cell, 'path' | 'from' | 'to'>): string {
  return path === 'native' ? `${titleOf(from)}, native` : `${titleOf(from)} → ${titleOf(to)}`
}

/** The path that a cell measures, named. */
export function measuredBy({ path, from, to }: Pick<Cell, 'path' | 'from' | 'to'>): string {
  if (path === 'native') return networks[from]?.native ?? `${from}, client to client`
  const entry = networks[from]?.in ?? `${from}, client to gateway`
  const exit = networks[to]?.out ?? `${to}, gateway to client`
  return `${entry}; ${exit}`
}

export function delayedOn(network: string): string {
  return networks[network]?.delays ?? 'each delivery'
}

export function factsOf(name: string, maxFrameBytes: number): NetworkFacts {
  return { name, maxFrameBytes, relaysToItself: networks[name]?.relaysToItself ?? false }
}

/** Description for a client that writes to other wallets directly; null where it is the same. */
export function describedWithoutGateway(
  network: string,
  description: Record<string, unknown>,
): Record<string, unknown> | null {
  return networks[network]?.withoutGateway?.(description) ?? null
}
