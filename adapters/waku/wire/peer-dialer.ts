/**
 * Keeps connections to configured peers. libp2p and the SDK give up or wait up to a minute after failed dials; this goes on
 * for as long as it runs and dials at once when a connection is lost.
 */
import type { Connection, Libp2p, PeerId } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { AdapterLog, Clock, Random } from '../../../src/adapter/index.ts'

export interface PeerDialerOptions {
  /** Multiaddrs, with or without `/p2p/<peer id>`. */
  peers: string[]
  /** Waits between two dials in milliseconds: the first, doubled each time up to the last, with spread. */
  redial: { minMs: number; maxMs: number }
  clock: Clock
  random: Random
  log: AdapterLog
}

const DIAL_TIMEOUT_MS = 10_000

/** How often a connection that reports no end is looked at, in milliseconds. */
const CHECK_MS = 30_000

export class PeerDialer {
  readonly #libp2p: Libp2p
  readonly #options: PeerDialerOptions
  readonly #stopped = new AbortController()
  readonly #loops: Promise<void>[] = []
  readonly #configured = new Set<string>()

  constructor(libp2p: Libp2p, options: PeerDialerOptions) {
    this.#libp2p = libp2p
    this.#options = options
  }

  /** Starts to dial, in the background. */
  start(): void {
    for (const address of this.#options.peers) this.#loops.push(this.#keep(address))
  }

  /** Whether a peer is one of those configured, as far as they have been reached. */
  isConfigured(peer: PeerId): boolean {
    return this.#configured.has(peer.toString())
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('stopped'))
    await Promise.all(this.#loops)
  }

  async #keep(address: string): Promise<void> {
    const { clock, redial, random, log } = this.#options
    const { signal } = this.#stopped
    let failures = 0
    while (!signal.aborted) {
      try {
        const connection = await this.#dial(address)
        failures = 0
        await this.#untilLost(connection)
      } catch (error) {
        if (signal.aborted) return
        failures += 1
        const wait = Math.min(redial.maxMs, redial.minMs * 2 ** Math.min(failures - 1, 16))
        if (failures === 1)
          log.info({ error: String(error) }, 'cannot reach a configured Waku peer; dialing on')
        await clock.sleep(wait * (0.75 + random.fraction() / 2), signal).catch(ignoreAbort(signal))
      }
    }
  }

  async #dial(address: string): Promise<Connection> {
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(new Error('dial timed out')), DIAL_TIMEOUT_MS)
    try {
      const signal = AbortSignal.any([this.#stopped.signal, timeout.signal])
      const target = multiaddr(address)
      const expected = target.getPeerId()
      if (expected) this.#configured.add(expected)
      const connection = await this.#libp2p.dial(target, { signal })
      this.#configured.add(connection.remotePeer.toString())
      return connection
    } finally {
      clearTimeout(timer)
    }
  }

  /** Resolves when no connection to the peer is left. */
  async #untilLost(connection: Connection): Promise<void> {
    const { signal } = this.#stopped
    const peer = connection.remotePeer
    while (!signal.aborted && this.#libp2p.getConnections(peer).length > 0) {
      const wake = new AbortController()
      const onDisconnect = (event: CustomEvent<PeerId>) => {
        if (event.detail.equals(peer)) wake.abort(new Error('disconnected'))
      }
      this.#libp2p.addEventListener('peer:disconnect', onDisconnect)
      const either = AbortSignal.any([signal, wake.signal])
      await this.#options.clock.sleep(CHECK_MS, either).catch(ignoreAbort(either))
      this.#libp2p.removeEventListener('peer:disconnect', onDisconnect)
    }
  }
}

/** Lets the abort of a sleep pass: it only ends the wait. Any other failure is thrown on. */
function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
