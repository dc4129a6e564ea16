/**
 * A messaging network in memory. Gateways join it through the simulator adapter; tests attach native clients to it,
 * inject frames and switch faults.
 *
 * Every gateway hears every message, as on a relay mesh. A native client hears what is addressed to it.
 */
import { AdapterError, type Clock, type FaultSwitches, systemClock } from '../../src/adapter/index.ts'
import { type SimulatorConfig, simulatorConfig } from './config.ts'
import { MessageLog } from './log.ts'
import { SimulatedNatives } from './natives.ts'
import { seededFractions } from './random.ts'
import { Schedule } from './schedule.ts'
import { TopicBoard } from './topics.ts'

/** Late deliveries are held back up to this many milliseconds, or four latencies where that is more. */
const HOLD_MS = 50
/** First pause before a delivery that a gateway turned away is made again; doubles up to the second. */
const REDELIVERY_MS = 50
const LONGEST_REDELIVERY_MS = 5_000

export interface SimulatedMessage {
  remoteId: string
  frame: Uint8Array
  from: string | null
  to: string
  /** Unix milliseconds at which the network took it; never before that of the message before it. */
  time: number
  ephemeral: boolean
  /** Id of the gateway that sent it, null for a native client. */
  gateway: string | null
  transactionId: string | null
}

/** What a sender gives; the network adds id and time. */
export type Draft = Omit<SimulatedMessage, 'remoteId' | 'time'>

/** A gateway's side of its connection. */
export interface GatewayListener {
  gateway: string
  /** Resolves when the gateway has taken the message; when it rejects, the network delivers the message again. */
  receive(message: SimulatedMessage): Promise<void>
  /** The connection was cut (false) or is back (true). Not called for the state at `join`. */
  connection(up: boolean): void
}

export type SimulatedNetworkOptions = Partial<Omit<SimulatorConfig, 'network'>> & {
  /** With a name, adapters join it by `{ network: name }`. */
  name?: string
  clock?: Clock
  /** Messages kept; the oldest are forgotten first. Default 100,000. */
  retainMessages?: number
}

type Shares = Record<'loss' | 'duplication' | 'reordering' | 'answerLoss', number>

const named = new Map<string, SimulatedNetwork>()

/**
 * Makes a network; with a name, for adapters of this process to join. Throws `RangeError` when the name is in use and
 * `ZodError` for settings out of range.
 *
 * @example
 * const network = createSimulatedNetwork({ name: 'lossy', seed: 7, loss: 0.1 })
 * network.attachClient(address, (frame) => frames.push(frame))
 */
export function createSimulatedNetwork(options: SimulatedNetworkOptions = {}): SimulatedNetwork {
  const { name, clock = systemClock, retainMessages = 100_000, ...settings } = options
  if (name !== undefined && named.has(name))
    throw new RangeError(`there is a simulated network "${name}" already`)
  const config = simulatorConfig.parse({ ...settings, network: name })
  const network = new SimulatedNetwork(config, clock, retainMessages)
  if (name !== undefined) named.set(name, network)
  return network
}

/** The network that a configuration names, made with its settings if there is none. */
export function joinedNetwork(config: SimulatorConfig, clock: Clock): SimulatedNetwork {
  const { network: name, ...settings } = config
  return named.get(name) ?? createSimulatedNetwork({ ...settings, name, clock })
}

export class SimulatedNetwork {
  readonly settings: Readonly<Pick<SimulatorConfig, 'history' | 'echo' | 'idempotentSend' | 'maxFrameBytes'>>
  readonly faults: FaultSwitches & {
    /** Share of sends that are taken though the answer is lost. */
    answerLoss(share: number): void
  }
  /** What native clients say to each other in the network's own form, for opaque mirroring. */
  readonly topics: TopicBoard
  /** By which adapters join it: `{ network: name }`. */
  readonly name: string
  /** What its people write to each other natively, for hop mode. */
  readonly natives: SimulatedNatives
  readonly #clock: Clock
  readonly #schedule: Schedule
  readonly #log: MessageLog
  readonly #fraction: () => number
  readonly #gateways = new Set<GatewayListener>()
  readonly #clients = new Map<string, Set<(frame: Uint8Array, message: SimulatedMessage) => void>>()
  readonly #shares: Shares
  #latencyMs: number
  #out = false

  /** Use `createSimulatedNetwork`. */
  constructor(config: SimulatorConfig, clock: Clock, retainMessages: number) {
    const { loss, duplication, reordering, answerLoss } = config
    this.name = config.network
    this.#clock = clock
    this.topics = new TopicBoard(() => clock.now())
    this.#schedule = new Schedule(clock)
    this.#log = new MessageLog(retainMessages)
    this.#fraction = seededFractions(config.seed)
    this.#shares = { loss, duplication, reordering, answerLoss }
    this.#latencyMs = config.latencyMs
    this.settings = config
    this.natives = new SimulatedNatives({
      clock,
      withFaults: (deliver) => this.#withFaults(deliver),
      after: (delayMs, task) => this.#schedule.after(delayMs, task),
      out: () => this.#out,
    })
    const set = (fault: keyof Shares) => (share: number) => {
      if (!(share >= 0 && share <= 1)) throw new RangeError(`${fault} is a share from 0 to 1`)
      this.#shares[fault] = share
    }
    this.faults = {
      outage: async (on) => this.#setOutage(on),
      latency: (ms) => {
        if (!(ms >= 0)) throw new RangeError('latency is in milliseconds, 0 or more')
        this.#latencyMs = ms
      },
      loss: set('loss'),
      duplication: set('duplication'),
      reordering: set('reordering'),
      answerLoss: set('answerLoss'),
    }
  }

  /** Milliseconds from a send to its delivery, and to its answer. */
  get latencyMs(): number {
    return this.#latencyMs
  }

  /** Gateways are cut off. Native clients are not. */
  get out(): boolean {
    return this.#out
  }

  /** Whether the answer of a send that was taken is lost. */
  losesAnswer(): boolean {
    return this.#fraction() < this.#shares.answerLoss
  }

  /** Nothing is under way. A delivery that a gateway turned away is under way until it is taken. */
  get idle(): boolean {
    return this.#schedule.idle
  }

  /** A native client: `onFrame` gets what is addressed to `address` from now on. Returns what detaches it. */
  attachClient(address: string, onFrame: (frame: Uint8Array, message: SimulatedMessage) => void): () => void {
    const here = this.#clients.get(address) ?? new Set()
    this.#clients.set(address, here.add(onFrame))
    return () => {
      here.delete(onFrame)
    }
  }

  /** A native client sends. Works during an outage, which cuts off gateways only. Returns the remote id. */
  inject(message: { frame: Uint8Array; to: string; from?: string | null; ephemeral?: boolean }): string {
    const { frame, to, from = null, ephemeral = false } = message
    return this.#take({ frame, to, from, ephemeral, gateway: null, transactionId: null }, null).remoteId
  }

  /** Delivers a kept message to all gateways once more. Throws `RangeError` for one that is not kept. */
  redeliver(remoteId: string): void {
    const message = this.#log.byId(remoteId)
    if (!message) throw new RangeError(`there is no kept message "${remoteId}"`)
    for (const listener of this.#gateways) this.#deliver(listener, message, this.#latencyMs)
  }

  /** Kept messages from `since` (Unix milliseconds) on, oldest first. */
  kept(since = 0): SimulatedMessage[] {
    return this.settings.history ? this.#log.since(since) : []
  }

  /** Connects a gateway. Returns its line to the network. */
  join(listener: GatewayListener): GatewayLine {
    this.#gateways.add(listener)
    return {
      submit: (draft) => this.#submit(draft, listener),
      lookUp: (transactionId) => this.#log.byTransaction(listener.gateway, transactionId),
      leave: () => {
        this.#gateways.delete(listener)
      },
    }
  }

  /** Ends the network: gateways are cut off, deliveries under way are lost, the name is free. */
  close(): void {
    this.#setOutage(true)
    this.#schedule.clear()
    this.#gateways.clear()
    this.#clients.clear()
    if (named.get(this.name) === this) named.delete(this.name)
  }

  #setOutage(on: boolean): void {
    if (this.#out === on) return
    this.#out = on
    for (const listener of this.#gateways) listener.connection(!on)
  }

  #submit(draft: Draft, sender: GatewayListener): Submission {
    if (this.#out) throw new AdapterError('retryable', 'the simulated network is out; wait until it is back')
    const known = this.settings.idempotentSend
      ? this.#log.byTransaction(sender.gateway, draft.transactionId)
      : undefined
    const remoteId = known ?? this.#take(draft, sender).remoteId
    return { remoteId, answered: this.#fraction() >= this.#shares.answerLoss }
  }

  #take(draft: Draft, sender: GatewayListener | null): SimulatedMessage {
    const message = this.#log.append(
      { ...draft, frame: Uint8Array.from(draft.frame) },
      this.#clock.now(),
      this.settings.history && !draft.ephemeral,
    )
    for (const listener of this.#gateways) {
      if (listener !== sender || this.settings.echo) {
        this.#withFaults((delayMs) => this.#deliver(listener, message, delayMs))
      }
    }
    for (const onFrame of this.#clients.get(message.to) ?? []) {
      this.#withFaults((delayMs) => {
        this.#schedule.after(delayMs, () => {
          if (this.#clients.get(message.to)?.has(onFrame)) onFrame(Uint8Array.from(message.frame), message)
        })
      })
    }
    return message
  }

  /** Calls `deliver` no time, once or twice. Always draws four numbers, so that one switch does not move the others. */
  #withFaults(deliver: (delayMs: number) => void): void {
    const lost = this.#fraction() < this.#shares.loss
    const doubled = this.#fraction() < this.#shares.duplication
    const late = this.#fraction() < this.#shares.reordering
    const hold = 1 + this.#fraction() * Math.max(HOLD_MS, 4 * this.#latencyMs)
    if (lost) return
    const delayMs = this.#latencyMs + (late ? hold : 0)
    deliver(delayMs)
    if (doubled) deliver(delayMs)
  }

  #deliver(
    listener: GatewayListener,
    message: SimulatedMessage,
    delayMs: number,
    pauseMs = REDELIVERY_MS,
  ): void {
    if (this.#out) return
    this.#schedule.after(delayMs, () => {
      if (this.#out || !this.#gateways.has(listener)) return
      listener.receive({ ...message, frame: Uint8Array.from(message.frame) }).catch(() => {
        // Not acknowledged: that is what a rejection says, and all that the network is told. It comes again.
        this.#deliver(listener, message, pauseMs, Math.min(2 * pauseMs, LONGEST_REDELIVERY_MS))
      })
    })
  }
}

export interface GatewayLine {
  /** Puts a message on the network. Throws `AdapterError` with `retryable` while the network is out. */
  submit(draft: Draft): Submission
  /** Remote id of what this gateway sent with the transaction id, if it is still remembered. */
  lookUp(transactionId: string): string | undefined
  leave(): void
}

export interface Submission {
  remoteId: string
  /** False when the message was taken and the answer is lost. */
  answered: boolean
}
