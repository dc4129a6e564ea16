import { toHex } from '../envelope/index.ts'
import type { Agenda, AgendaEntry } from './agenda.ts'

/** A delivery in a lane. Bytes stay in the store: this is all that a waiting delivery takes of memory. */
export interface LaneItem {
  /** Id of the delivery. */
  readonly id: number
  readonly network: string
  /** Items of one lane run one after the other: address and conversation. */
  readonly lane: string
}

/** `done`: nothing more to do here. Otherwise the next try; `wakes`: a new connection may bring it forward. */
export type LaneOutcome = 'done' | { retryAt: number; wakes: boolean }

export interface LaneOptions<Item extends LaneItem> {
  maxInFlightPerNetwork: number
  /** Deliveries of one network that are kept in memory; more stay in the store. */
  highWater: number
  /** A head that waits for its next try holds its lane at most this long, milliseconds. */
  laneHoldMs: number
  now(): number
  agenda: Agenda
  /** Must not reject: an error is the outcome of a delivery. */
  run(item: Item): Promise<LaneOutcome>
  /** The network has room again, after `add` had refused something. */
  onRoom(network: string): void
}

/**
 * The order of sends: one at a time in a lane, lanes side by side, each network by itself. A network that is closed keeps its
 * items without trying them.
 */
export interface Lanes<Item extends LaneItem> {
  /** False when the network is at its high-water mark: leave the delivery in the store. Known items are taken silently. */
  add(item: Item): boolean
  /**
   * Keeps a place for an item that will be added to this lane and is then to run at once; false when it would have to wait, what
   * is reserved already counted. Items that are not reserved may still come first.
   */
  reserve(network: string, lane: string): boolean
  /** Gives the place up, once the item is added or will not come. */
  unreserve(network: string, lane: string): void
  isRunning(item: Item): boolean
  /** Lets items run, and brings waiting ones forward. */
  open(network: string): void
  close(network: string): void
  isOpen(network: string): boolean
  /** A waiting item is not needed any more: its lane goes on without it. Nothing happens to one that runs or queues. */
  release(network: string, id: number): void
  /** Lets one item of a closed network run. */
  probe(network: string): void
  /** Starts nothing more. Resolves when nothing runs. */
  stop(): Promise<void>
  has(network: string, id: number): boolean
}

interface Waiting<Item> {
  lane: Lane<Item>
  item: Item
  /** Put out of its lane, which goes on without it. */
  aside: boolean
  wakes: boolean
  entry: AgendaEntry
}

interface Lane<Item> {
  key: string
  queue: Item[]
  /** The head runs, or waits for its next try, or the lane stands in `ready`. */
  state: 'ready' | 'running' | 'held'
}

interface NetworkLanes<Item> {
  name: string
  lanes: Map<string, Lane<Item>>
  ready: Lane<Item>[]
  known: Set<number>
  waiting: Map<number, Waiting<Item>>
  /** Lanes for whose next item a place is kept. */
  reserved: Set<string>
  /** When the head of a lane failed for the first time. */
  failedSince: Map<number, number>
  inFlight: number
  open: boolean
  /** `add` refused something since the last `onRoom`. */
  refused: boolean
}

export function createLanes<Item extends LaneItem>(options: LaneOptions<Item>): Lanes<Item> {
  const networks = new Map<string, NetworkLanes<Item>>()
  const running = new Set<Promise<void>>()
  let stopped = false

  function networkOf(name: string): NetworkLanes<Item> {
    let network = networks.get(name)
    if (!network) {
      network = {
        name,
        lanes: new Map(),
        ready: [],
        known: new Set(),
        waiting: new Map(),
        reserved: new Set(),
        failedSince: new Map(),
        inFlight: 0,
        open: false,
        refused: false,
      }
      networks.set(name, network)
    }
    return network
  }

  function makeReady(network: NetworkLanes<Item>, lane: Lane<Item>): void {
    lane.state = 'ready'
    network.ready.push(lane)
  }

  /** Puts an item into its lane in the order of ids, which is the order of acceptance, behind a head that is in use. */
  function insert(network: NetworkLanes<Item>, item: Item): void {
    let lane = network.lanes.get(item.lane)
    if (!lane) {
      lane = { key: item.lane, queue: [item], state: 'ready' }
      network.lanes.set(item.lane, lane)
      network.ready.push(lane)
      return
    }
    const first = lane.state === 'ready' ? 0 : 1
    let index = lane.queue.length
    while (index > first && lane.queue[index - 1]!.id > item.id) index--
    lane.queue.splice(index, 0, item)
  }

  function pump(network: NetworkLanes<Item>, limit = network.open ? options.maxInFlightPerNetwork : 0): void {
    while (!stopped && network.inFlight < limit && network.ready.length > 0) {
      const lane = network.ready.shift()!
      lane.state = 'running'
      network.inFlight++
      const work = runHead(network, lane).finally(() => running.delete(work))
      running.add(work)
    }
  }

  async function runHead(network: NetworkLanes<Item>, lane: Lane<Item>): Promise<void> {
    const item = lane.queue[0]!
    const outcome = await options.run(item)
    network.inFlight--
    if (outcome === 'done') {
      advance(network, lane)
      forget(network, item)
    } else {
      wait(network, lane, item, outcome)
    }
    pump(network)
  }

  function forget(network: NetworkLanes<Item>, item: Item): void {
    network.failedSince.delete(item.id)
    network.known.delete(item.id)
    if (network.refused && network.known.size <= options.highWater / 2) {
      network.refused = false
      options.onRoom(network.name)
    }
  }

  /** Takes the head out of the lane. */
  function advance(network: NetworkLanes<Item>, lane: Lane<Item>): void {
    lane.queue.shift()
    if (lane.queue.length > 0) makeReady(network, lane)
    else network.lanes.delete(lane.key)
  }

  function wait(
    network: NetworkLanes<Item>,
    lane: Lane<Item>,
    item: Item,
    outcome: { retryAt: number; wakes: boolean },
  ): void {
    const since = network.failedSince.get(item.id) ?? options.now()
    network.failedSince.set(item.id, since)
    const aside = outcome.retryAt - since > options.laneHoldMs
    if (aside) advance(network, lane)
    else lane.state = 'held'
    const waiting: Waiting<Item> = {
      lane,
      item,
      aside,
      wakes: outcome.wakes,
      entry: options.agenda.at(outcome.retryAt, () => resume(network, waiting)),
    }
    network.waiting.set(item.id, waiting)
  }

  function resume(network: NetworkLanes<Item>, waiting: Waiting<Item>): void {
    options.agenda.cancel(waiting.entry)
    network.waiting.delete(waiting.item.id)
    if (waiting.aside) insert(network, waiting.item)
    else makeReady(network, waiting.lane)
    pump(network)
  }

  return {
    add(item) {
      const network = networkOf(item.network)
      if (stopped || network.known.has(item.id)) return true
      if (network.known.size >= options.highWater) {
        network.refused = true
        return false
      }
      network.known.add(item.id)
      insert(network, item)
      pump(network)
      return true
    },
    reserve(name, lane) {
      const network = networks.get(name)
      if (!network?.open || stopped || network.lanes.has(lane) || network.reserved.has(lane)) return false
      const { known, inFlight, reserved } = network
      if (known.size + reserved.size >= options.highWater) return false
      if (inFlight + reserved.size >= options.maxInFlightPerNetwork) return false
      reserved.add(lane)
      return true
    },
    unreserve(name, lane) {
      networks.get(name)?.reserved.delete(lane)
    },
    isRunning({ network, lane: key, id }) {
      const lane = networks.get(network)?.lanes.get(key)
      return lane?.state === 'running' && lane.queue[0]?.id === id
    },
    open(name) {
      const network = networkOf(name)
      network.open = true
      for (const waiting of [...network.waiting.values()]) if (waiting.wakes) resume(network, waiting)
      pump(network)
    },
    close(name) {
      networkOf(name).open = false
    },
    release(name, id) {
      const network = networkOf(name)
      const waiting = network.waiting.get(id)
      if (!waiting) return
      options.agenda.cancel(waiting.entry)
      network.waiting.delete(id)
      forget(network, waiting.item)
      if (!waiting.aside) advance(network, waiting.lane)
      pump(network)
    },
    isOpen: (name) => networkOf(name).open,
    probe(name) {
      const network = networkOf(name)
      if (!network.open) pump(network, 1)
    },
    async stop() {
      stopped = true
      while (running.size > 0) await Promise.all(running)
    },
    has: (name, id) => networkOf(name).known.has(id),
  }
}

/** Deliveries of one conversation to one address leave in order. */
export function laneOf(address: string, conversation: Uint8Array): string {
  return `${address}\n${toHex(conversation)}`
}
