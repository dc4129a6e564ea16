/**
 * A TCP proxy on loopback with every way in which a connection goes wrong. It stands between a gateway and a network; seeded,
 * so that the same bytes are hurt in every run with the same traffic.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SeededRandom } from './random.ts'

/** `up`: from the one who dialed to the one who listens. */
export type Direction = 'up' | 'down'

export type TcpFault =
  /** Present connections are reset, new ones refused. */
  | { kind: 'refuse' }
  /** Present connections are reset, once; new ones are fine. */
  | { kind: 'cut' }
  /** Each connection is reset after so many bytes in this direction, drawn between 1 and `withinBytes`. */
  | { kind: 'reset'; direction: Direction; withinBytes: number }
  /** The same with an orderly end in place of the reset: what came looks complete, and is not. */
  | { kind: 'truncate'; direction: Direction; withinBytes: number }
  /** Connections swallow everything in silence, for ever: those of this time stay dead after healing. */
  | { kind: 'halfOpen' }
  /** Bytes in these directions wait until the fault is over. */
  | { kind: 'stall'; directions: Direction[] }
  /** One byte at a time (slow loris). */
  | { kind: 'trickle'; everyMs: number }
  /** Each chunk comes later by `ms` and a random share of `jitterMs`. */
  | { kind: 'delay'; ms: number; jitterMs: number }
  | { kind: 'throttle'; bytesPerSecond: number }
  /** Flips a bit in about one of so many bytes, and in at least one byte of each connection. */
  | { kind: 'corrupt'; direction: Direction; everyBytes: number }

export interface TcpProxy {
  readonly port: number
  /** Puts this fault in place of the present one. */
  apply(fault: TcpFault): Promise<void>
  /** Forwards as it should. Connections that the fault has killed stay dead. */
  heal(): Promise<void>
  /** Connections that are open now. */
  connections(): number
  stop(): Promise<void>
}

interface Link {
  client: Socket
  server: Socket
  /** Swallowed for ever. */
  dead: boolean
  /** Bytes still to pass in a direction before a `reset` or `truncate`, and until the next flipped bit. */
  budget: Partial<Record<Direction, number>>
}

/** Starts a proxy to a port of 127.0.0.1. `port`: a fixed one to listen on. */
export async function startTcpProxy(targetPort: number, random: SeededRandom, port = 0): Promise<TcpProxy> {
  const links = new Set<Link>()
  let fault: TcpFault | null = null
  let changed = Promise.withResolvers<void>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const link: Link = {
      client,
      server: connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true }),
      dead: fault?.kind === 'halfOpen',
      budget: {},
    }
    links.add(link)
    void pump(link, 'up')
    void pump(link, 'down')
  })
  await listen(server, port)
  const ownPort = (server.address() as AddressInfo).port

  async function pump(link: Link, direction: Direction): Promise<void> {
    const [source, target] = direction === 'up' ? [link.client, link.server] : [link.server, link.client]
    // A socket that breaks ends the iteration below, or the write to it; either closes both.
    source.on('error', () => undefined)
    try {
      for await (const chunk of source as AsyncIterable<Buffer>) {
        while (fault?.kind === 'stall' && fault.directions.includes(direction)) await changed.promise
        if (!link.dead) await pass(link, direction, chunk, target)
      }
      if (!link.dead) target.end()
    } catch {
      // Reset by one side: the other gets to know, unless the connection is to look alive.
      if (!link.dead) target.resetAndDestroy()
    }
    if (link.dead) source.destroy()
    if (link.client.destroyed && link.server.destroyed) links.delete(link)
    source.once('close', () => {
      if (link.client.destroyed && link.server.destroyed) links.delete(link)
    })
  }

  /** Passes a chunk on as the present fault has it. */
  async function pass(link: Link, direction: Direction, chunk: Buffer, target: Socket): Promise<void> {
    const present = fault
    switch (present?.kind) {
      case 'reset':
      case 'truncate': {
        if (present.direction !== direction) break
        const budget = link.budget[direction] ?? random.between(1, present.withinBytes)
        link.budget[direction] = budget - chunk.length
        if (chunk.length < budget) break
        await write(target, chunk.subarray(0, budget))
        if (present.kind === 'truncate') {
          link.client.destroySoon()
          link.server.destroySoon()
        } else reset(link)
        return
      }
      case 'corrupt':
        if (present.direction === direction) return write(target, corrupted(link, direction, chunk, present))
        break
      case 'trickle':
        return inPieces(present, chunk, 1, present.everyMs, target)
      case 'throttle': {
        const everyMs = 20
        const size = Math.max(1, Math.floor((present.bytesPerSecond * everyMs) / 1000))
        return inPieces(present, chunk, size, everyMs, target)
      }
      case 'delay':
        await Promise.race([sleep(present.ms + present.jitterMs * random.fraction()), changed.promise])
        break
      default:
    }
    return write(target, chunk)
  }

  /** What is left when the fault is over goes at once. */
  async function inPieces(
    present: TcpFault,
    chunk: Buffer,
    size: number,
    everyMs: number,
    target: Socket,
  ): Promise<void> {
    let at = 0
    for (; at < chunk.length && fault === present; at += size) {
      await write(target, chunk.subarray(at, at + size))
      await sleep(everyMs)
    }
    if (at < chunk.length) await write(target, chunk.subarray(at))
  }

  function corrupted(
    link: Link,
    direction: Direction,
    chunk: Buffer,
    { everyBytes }: { everyBytes: number },
  ): Buffer {
    const hurt = Buffer.from(chunk)
    let next = link.budget[direction] ?? random.between(0, Math.min(everyBytes, chunk.length) - 1)
    while (next < hurt.length) {
      hurt[next] = (hurt[next] as number) ^ (1 << random.between(0, 7))
      next += random.between(1, 2 * everyBytes)
    }
    link.budget[direction] = next - hurt.length
    return hurt
  }

  function reset(link: Link): void {
    link.client.resetAndDestroy()
    link.server.resetAndDestroy()
    links.delete(link)
  }

  function resetAll(): void {
    for (const link of links) reset(link)
  }

  async function put(next: TcpFault | null): Promise<void> {
    fault = next
    for (const link of links) link.budget = {}
    changed.resolve()
    changed = Promise.withResolvers<void>()
    if (next?.kind === 'refuse') {
      const closed = server.listening ? once(server, 'close') : null
      server.close()
      resetAll()
      await closed
      return
    }
    if (next?.kind === 'cut') resetAll()
    if (next?.kind === 'halfOpen') for (const link of links) link.dead = true
    if (!server.listening) await listen(server, ownPort)
  }

  return {
    port: ownPort,
    apply: put,
    heal: () => put(null),
    connections: () => links.size,
    async stop() {
      fault = null
      changed.resolve()
      resetAll()
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      resetAll()
      await closed
    },
  }
}

function write(target: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    target.write(bytes, (error) => (error ? reject(error) : resolve()))
  })
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}
