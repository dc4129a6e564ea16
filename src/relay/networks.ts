import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  Adapter,
  AdapterContext,
  AdapterDefinition,
  AdapterLog,
  Capabilities,
  Clock,
  DeliverResult,
  EnrolmentReport,
  Inbound,
  NativeInbound,
  OpaqueInbound,
  Random,
  StateReport,
} from '../adapter/index.ts'
import type { AdapterStore } from '../store/port.ts'
import { withDeadline } from './deadline.ts'
import { RelayError } from './errors.ts'
import { createSerializer } from './serializer.ts'
import type { NetworkStatus, Networks } from './types.ts'

/** How long `start` waits for first attempts, and `restart` for an adapter to stop. Slower ones go on by themselves. */
const PATIENCE_MS = 10_000
/** What is added to that for an adapter that does not obey its signal. */
const GRACE_MS = 1_000
/** Adapters' own keys are kept apart from those of the relay. */
const ADAPTER_KEYS = 'adapter/'

export interface NetworkSetup {
  /** Name of the network in configuration, store and API; usually that of the manifest. */
  name: string
  definition: AdapterDefinition
  /** Output of the definition's schema. */
  config: unknown
  /** The network is a local stand-in. */
  sandbox: boolean
}

export interface NetworksOptions {
  adapters: NetworkSetup[]
  gateway: string
  clock: Clock
  random: Random
  /** Log of one network. */
  log(network: string): AdapterLog
  store: AdapterStore
  /** Each adapter gets a folder of its own in it. */
  dataDirectory: string
  /** Takes a heard frame: the relay's `hear`. */
  deliver(network: string, inbound: Inbound): Promise<DeliverResult>
  /** Takes what mirrors hear. Absent: there are none. */
  mirrors?: { deliver(network: string, inbound: OpaqueInbound): Promise<DeliverResult> }
  /** Takes what enrolled wallets hear. Absent: nobody is enrolled. */
  enrolments?: {
    deliver(network: string, inbound: NativeInbound): Promise<DeliverResult>
    /** Must not throw. */
    report(network: string, id: string, report: EnrolmentReport): void
  }
}

interface Entry {
  setup: NetworkSetup
  adapter: Adapter
  report: StateReport
  since: number
  /** Grows with each restart: what an earlier instance still says is not listened to. */
  generation: number
  /** Questions about itself that it has failed to answer, so that each is logged once. */
  failed: Set<string>
}

/** What is assumed of an adapter that cannot say what it can. */
const NOTHING_KNOWN: Capabilities = {
  maxFrameBytes: 0,
  echo: false,
  history: false,
  lookup: false,
  idempotentSend: false,
  ephemeral: false,
  reachesAnyone: false,
  sharedAddresses: false,
}

/**
 * Makes and runs the adapters. One that hangs or fails holds no other: its state says so.
 * Throws what a `create` throws; nothing is started here.
 */
export function createNetworks(options: NetworksOptions): Networks {
  const { clock } = options
  const listeners = new Set<(network: string, report: StateReport) => void>()
  const entries = new Map<string, Entry>()
  const stopping = new AbortController()
  /** Restarts of one network follow each other, so that every instance is started once and stopped once. */
  const inTurn = createSerializer()
  for (const setup of options.adapters) {
    if (entries.has(setup.name)) throw new RangeError(`two networks are named "${setup.name}"`)
    entries.set(setup.name, newEntry(setup, 0))
  }

  function newEntry(setup: NetworkSetup, generation: number): Entry {
    const context = contextOf(setup.name, generation)
    return {
      setup,
      adapter: setup.definition.create(setup.config, context),
      report: { state: 'starting' },
      since: clock.now(),
      generation,
      failed: new Set(),
    }
  }

  function contextOf(name: string, generation: number): AdapterContext {
    const isCurrent = () => entries.get(name)?.generation === generation
    let folder: Promise<string> | null = null
    return {
      gateway: options.gateway,
      clock,
      random: options.random,
      log: options.log(name),
      storage: {
        get: (key) => options.store.getAdapterValue(name, ADAPTER_KEYS + key),
        set: (key, value) => options.store.setAdapterValue(name, ADAPTER_KEYS + key, value),
      },
      async directory() {
        folder ??= makeDirectory(join(options.dataDirectory, 'networks', name))
        return folder
      },
      async deliver(inbound) {
        if (!isCurrent())
          throw new RelayError('relay-stopping', 'This instance of the adapter has been replaced')
        return options.deliver(name, inbound)
      },
      state(report) {
        if (isCurrent()) setState(name, report)
      },
      async deliverNative(inbound) {
        if (!isCurrent())
          throw new RelayError('relay-stopping', 'This instance of the adapter has been replaced')
        return options.enrolments?.deliver(name, inbound) ?? { outcome: 'refused', code: 'enrolment-unknown' }
      },
      async deliverOpaque(inbound) {
        if (!isCurrent())
          throw new RelayError('relay-stopping', 'This instance of the adapter has been replaced')
        return options.mirrors?.deliver(name, inbound) ?? { outcome: 'refused', code: 'mirror-unknown' }
      },
      enrolmentState(id, report) {
        if (isCurrent()) options.enrolments?.report(name, id, report)
      },
    }
  }

  function setState(name: string, report: StateReport): void {
    const entry = entries.get(name)
    if (!entry) return
    if (entry.report.state !== report.state) entry.since = clock.now()
    entry.report = report
    for (const listener of listeners) {
      try {
        listener(name, report)
      } catch (error) {
        options.log(name).error({ error }, 'a listener to states failed')
      }
    }
  }

  /** The first attempt. An adapter that breaks its contract by rejecting is reported, and stays stopped. */
  async function startOne(entry: Entry): Promise<void> {
    const { name } = entry.setup
    try {
      await entry.adapter.start(stopping.signal)
    } catch (error) {
      if (stopping.signal.aborted || entries.get(name) !== entry) return
      options.log(name).error({ error }, 'the adapter could not be started')
      setState(name, {
        state: 'stopped',
        reason: 'The adapter could not be started; the log says why.',
        userAction: 'Correct the cause and restart the adapter.',
      })
    }
  }

  async function stopOne(entry: Entry, signal?: AbortSignal): Promise<void> {
    const limits = { milliseconds: PATIENCE_MS, graceMs: GRACE_MS, signal }
    try {
      await withDeadline(clock, limits, (until) => entry.adapter.stop(until))
    } catch (error) {
      options.log(entry.setup.name).warn({ error }, 'the adapter did not stop cleanly')
    }
  }

  /** What an adapter says of itself; one that fails to must not take the status of the others with it. */
  function ask<T>(entry: Entry, what: string, question: () => T, otherwise: T): T {
    try {
      return question()
    } catch (error) {
      if (!entry.failed.has(what)) {
        entry.failed.add(what)
        options.log(entry.setup.name).error({ error }, `the adapter failed to tell its ${what}`)
      }
      return otherwise
    }
  }

  function statusOf(entry: Entry): NetworkStatus {
    const { setup, adapter, report, since } = entry
    const { manifest } = setup.definition
    const capabilities = ask(entry, 'capabilities', () => adapter.capabilities(), NOTHING_KNOWN)
    return {
      ...report,
      network: setup.name,
      title: manifest.title,
      since,
      sandbox: setup.sandbox,
      capabilities,
      limits: { maxFrameBytes: Math.min(manifest.limits.maxFrameBytes, capabilities.maxFrameBytes) },
      address: ask(entry, 'address', () => adapter.identity?.ownAddress() ?? null, null),
      description: ask(entry, 'description', () => adapter.describe?.() ?? {}, {}),
    }
  }

  /** Puts a new instance in the place of the running one, and begins to start it once the old one has stopped. */
  async function replace(network: string): Promise<{ starting: Promise<void> }> {
    const entry = entries.get(network)
    if (!entry || stopping.signal.aborted) {
      throw new RelayError('network-unknown', 'No network of this name runs here')
    }
    const next = newEntry(entry.setup, entry.generation + 1)
    entries.set(network, next)
    setState(network, { state: 'starting' })
    await stopOne(entry)
    return { starting: stopping.signal.aborted ? Promise.resolve() : startOne(next) }
  }

  return {
    list: () => [...entries.values()].map(statusOf),
    names: () => [...entries.keys()],
    get(network) {
      const entry = entries.get(network)
      return entry && { name: network, definition: entry.setup.definition, adapter: entry.adapter }
    },
    async restart(network) {
      // The start itself is waited for outside of the turn: a start that hangs is what the next restart is to end.
      const { starting } = await inTurn(network, () => replace(network))
      await starting
    },
    async start() {
      const waited = new AbortController()
      const patience = clock.sleep(PATIENCE_MS, waited.signal).catch((error: unknown) => {
        if (!waited.signal.aborted) throw error
      })
      await Promise.race([Promise.all([...entries.values()].map(startOne)), patience])
      waited.abort()
      await patience
    },
    async stop(signal) {
      stopping.abort(new RelayError('relay-stopping', 'The gateway is stopping'))
      await Promise.all([...entries.values()].map((entry) => stopOne(entry, signal)))
      for (const name of entries.keys()) setState(name, { state: 'stopped' })
    },
    onState(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

async function makeDirectory(path: string): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return path
}
