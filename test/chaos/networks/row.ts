/**
 * What the harness needs of a network. A later network joins by a file here that exports a `ChaosNetwork`, and a line in
 * `index.ts`; crash and faults then run it under its name (`--networks <name>`), and the tests of both by theirs.
 *
 * To write one (`waku.ts` is the shortest complete example):
 * 1. `start`: start the network's sandbox in `directory`, seeded from `random`. Put a `startTcpProxy` before every connection
 *    that the gateway makes to it, and give the gateway the proxies' addresses in `gatewayConfig`.
 * 2. `connectGateway`: for networks that call the gateway (webhooks), a proxy before it too; otherwise nothing.
 * 3. `join`, `send`: the people's own clients of the real SDK, straight to the sandbox: a fault lies between gateway and network
 *    alone. What a client hears goes to `hear` of `people.ts`. `send` resolves when the network has taken the message.
 * 4. `copies`: what lies on the network, read from the sandbox itself and not through the gateway. It shows what was lost on
 *    the way out, and what was sent twice.
 * 5. `faults`: `tcpFaults` for each proxy (16 kinds), and what the network's own service does wrong, by the sandbox's switches:
 *    refusals for the rate, errors of the server, answers lost after success, messages doubled, late, out of order or not
 *    at all, histories in part, clocks that are off, sessions and subscriptions that end silently, credentials that expire.
 * 6. Name one kind of each sort in `faults.test.ts`; `npm run chaos -- faults --networks <name>` runs them all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SealedMessage } from '../../../src/client/index.ts'
import type { Person } from '../people.ts'
import type { SeededRandom } from '../random.ts'
import type { TcpFault, TcpProxy } from '../tcp-proxy.ts'

export interface ChaosNetwork {
  /** As `--networks` takes it: the network, with its way of joining where there are several. */
  name: string
  start(options: NetworkOptions): Promise<RunningNetwork>
}

export interface NetworkOptions {
  /** The same seed has to give the same faults at the same moments. */
  random: SeededRandom
  /** Empty folder for the stand-in. It outlives kills of the gateway. */
  directory: string
}

export interface RunningNetwork {
  name: string
  /** The gateway's name of the network: several rows may join it in different ways. */
  adapter: string
  /** `networks.<adapter>` of a gateway that reaches the stand-in through the proxies. */
  gatewayConfig: Record<string, unknown>
  /** Where the gateway listens, for networks that call it. Called once, when it first answers; the port stays over restarts. */
  connectGateway(port: number): Promise<void>
  /** Joins with the person's own client, past the proxies, at `person.addresses`. Needs a gateway that runs. */
  join(person: Person): Promise<void>
  /**
   * Puts a frame at the recipient's address. Resolves when the network holds it, rejects when it did not take it: it may then
   * be sent again. The same message twice has to be the same message for the network, where the network can tell.
   */
  send(from: Person, to: Person, message: SealedMessage): Promise<void>
  /** How often the network holds each envelope at the people's addresses, by `<address> <id in hex>`. */
  copies(people: readonly Person[]): Promise<Map<string, number>>
  /** Connections between gateway and network. */
  proxies: TcpProxy[]
  faults: readonly FaultKind[]
  /** Stops clients, sandbox and proxies. */
  stop(): Promise<void>
}

/** One way in which things go wrong. */
export interface FaultKind {
  /** In words, unique within its network. */
  name: string
  start(random: SeededRandom): Promise<void> | void
  /** Undoes `start`. Within 30 s of it, everything has to be where it should be. */
  heal(): Promise<void> | void
  /** What lies on the network is not checked, only what people get: flipped bits over plain TCP, or an archive that refused. */
  inboxOnly?: true
  /** Starts only when the gateway hears the network live: what is sent now is kept nowhere. */
  needsStream?: true
  /** The people's own clients are cut off too, so that none of them sends during the fault. */
  cutsClients?: true
}

/** The faults of a proxy. `name` tells one connection from another. */
export function tcpFaults(name: string, proxy: TcpProxy, encrypted: boolean): FaultKind[] {
  const kind = (suffix: string, fault: TcpFault, more: Partial<FaultKind> = {}): FaultKind => ({
    name: `${name}: ${suffix}`,
    start: () => proxy.apply(fault),
    heal: () => proxy.heal(),
    ...more,
  })
  const damages = encrypted ? {} : ({ inboxOnly: true } as const)
  return [
    kind('refused', { kind: 'refuse' }),
    kind('cut once', { kind: 'cut' }),
    kind('reset amid what goes up', { kind: 'reset', direction: 'up', withinBytes: 1_500 }),
    kind('reset amid what comes down', { kind: 'reset', direction: 'down', withinBytes: 200 }),
    kind('truncated on the way up', { kind: 'truncate', direction: 'up', withinBytes: 1_500 }),
    kind('truncated on the way down', { kind: 'truncate', direction: 'down', withinBytes: 200 }),
    kind('half-open', { kind: 'halfOpen' }),
    kind('stalled on the way up', { kind: 'stall', directions: ['up'] }),
    kind('stalled on the way down', { kind: 'stall', directions: ['down'] }),
    kind('stalled both ways', { kind: 'stall', directions: ['up', 'down'] }),
    flapping(name, proxy),
    kind('one byte at a time', { kind: 'trickle', everyMs: 10 }),
    kind('late', { kind: 'delay', ms: 200, jitterMs: 300 }),
    kind('4 KB a second', { kind: 'throttle', bytesPerSecond: 4_096 }),
    kind('corrupted on the way up', { kind: 'corrupt', direction: 'up', everyBytes: 1_000 }, damages),
    kind('corrupted on the way down', { kind: 'corrupt', direction: 'down', everyBytes: 1_000 }, damages),
  ]
}

/** Refused and back again, several times. */
function flapping(name: string, proxy: TcpProxy): FaultKind {
  let on = false
  let flaps: Promise<void> = Promise.resolve()
  return {
    name: `${name}: flapping`,
    start(random) {
      on = true
      flaps = (async () => {
        while (on) {
          await proxy.apply({ kind: 'refuse' })
          await sleep(random.between(20, 200))
          await proxy.heal()
          await sleep(random.between(20, 400))
        }
      })()
    },
    async heal() {
      on = false
      await flaps
    },
  }
}
