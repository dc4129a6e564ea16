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
  /**
   * Whether a connected peer takes part, where that can be told. One that does not for a while is left and dialed anew: when a
   * connection died in silence, the peer may go on writing into the dead one and take no notice of the new.
   */
  takesPart?(peer: PeerId): boolean
}

const DIAL_TIMEOUT_MS = 10_000

/** How often a connection that reports no end is looked at, in milliseconds. */
const CHECK_MS = 1_000

/** How long a connected peer may take no part, in milliseconds; doubled each time that it never did. */
const FIRST_PATIENCE_MS = 5_000
const LONGEST_PATIENCE_MS = 300_000

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
    let patienceMs = FIRST_PATIENCE_MS
    while (!signal.aborted) {
      try {
        const connection = await this.#dial(address)
        failures = 0
        const tookPart = await this.#untilLost(connection, patienceMs)
        patienceMs = tookPart ? FIRST_PATIENCE_MS : Math.min(patienceMs * 2, LONGEST_PATIENCE_MS)
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

  /** Resolves when no connection to the peer is left, with whether it ever took part. */
  async #untilLost(connection: Connection, patienceMs: number): Promise<boolean> {
    const { clock, log, takesPart } = this.#options
    const { signal } = this.#stopped
    const peer = connection.remotePeer
    let lastPart = clock.monotonic()
    let tookPart = takesPart === undefined
    while (!signal.aborted && this.#libp2p.getConnections(peer).length > 0) {
      if (takesPart?.(peer) ?? true) {
        tookPart = true
        lastPart = clock.monotonic()
      } else if (clock.monotonic() - lastPart > patienceMs) {
        log.info({}, 'a configured Waku peer is connected but takes no part; dialing anew')
        for (const idle of this.#libp2p.getConnections(peer)) idle.abort(new Error('the peer takes no part'))
      }
      await this.#pause(peer)
    }
    return tookPart
  }

  /** A moment, or until the peer is lost. */
  async #pause(peer: PeerId): Promise<void> {
    const wake = new AbortController()
    const onDisconnect = (event: CustomEvent<PeerId>) => {
      if (event.detail.equals(peer)) wake.abort(new Error('disconnected'))
    }
    this.#libp2p.addEventListener('peer:disconnect', onDisconnect)
    const either = AbortSignal.any([this.#stopped.signal, wake.signal])
    await this.#options.clock.sleep(CHECK_MS, either).catch(ignoreAbort(either))
    this.#libp2p.removeEventListener('peer:disconnect', onDisconnect)
  }
}

/** Lets the abort of a sleep pass: it only ends the wait. Any other failure is thrown on. */
function ignoreAbort(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
