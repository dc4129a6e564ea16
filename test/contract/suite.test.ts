/** The contract suite must catch defects: each of these broken adapters fails the check that is about its defect. */
import { afterEach, describe, expect, it } from 'vitest'
import type { SimulatedNetworkOptions } from '../../adapters/simulator/index.ts'
import simulator from '../../adapters/simulator/index.ts'
import type {
  Adapter,
  AdapterContext,
  AdapterDefinition,
  Inbound,
  Manifest,
} from '../../src/adapter/index.ts'
import {
  type Check,
  type Concern,
  type ContractHarness,
  contractChecks,
  runCheck,
} from '../../src/adapter/testing/index.ts'
import { simulatorHarness } from './simulator-harness.ts'

type Breakage = (adapter: Adapter, context: AdapterContext) => Partial<Adapter>

interface Defect {
  defect: string
  concern: Concern
  /** Start of the name of the check that must fail. */
  check: string
  /** What the check must say. */
  says: RegExp
  /** What the broken adapter does instead; the unbroken adapter is given. */
  breaks?: Breakage
  /** Lies to the adapter underneath about its context. */
  context?: (context: AdapterContext) => AdapterContext
  manifest?: Partial<Manifest>
  options?: SimulatedNetworkOptions
}

const declaring =
  (change: Partial<ReturnType<Adapter['capabilities']>>): Breakage =>
  (adapter) => ({ capabilities: () => ({ ...adapter.capabilities(), ...change }) })

/** The context, but what is delivered is changed first. */
const delivering =
  (change: (inbound: Inbound) => Inbound) =>
  (context: AdapterContext): AdapterContext => ({
    ...context,
    deliver: (inbound) => context.deliver(change(inbound)),
  })

const defects: Defect[] = [
  {
    defect: 'declares idempotentSend, but every retry is a new message',
    concern: 'dedup',
    check: 'capability idempotentSend: one transaction',
    says: /second copy/,
    options: { idempotentSend: false },
    breaks: declaring({ idempotentSend: true }),
  },
  {
    defect: 'does not declare idempotentSend, though the network is',
    concern: 'dedup',
    check: 'capability idempotentSend: one transaction',
    says: /second copy/,
    breaks: declaring({ idempotentSend: false }),
  },
  {
    defect: 'swallows the rejection of deliver, on a network without history',
    concern: 'receive',
    check: 'what the gateway could not make durable',
    says: /in vain for the frame to be delivered/,
    options: { history: false },
    context: (context) => ({
      ...context,
      deliver: (inbound) => context.deliver(inbound).catch(() => ({ outcome: 'refused', code: 'swallowed' })),
    }),
  },
  {
    defect: 'start rejects in an outage',
    concern: 'lifecycle',
    check: 'start does not reject while the network is out',
    says: /no route/,
    breaks: (adapter) => ({
      async start(signal) {
        await adapter.start(signal)
        const findings = await adapter.doctor!.examine(signal)
        if (findings.some(({ status }) => status === 'error')) throw new Error('no route to the network')
      },
    }),
  },
  {
    defect: 'create starts a timer',
    concern: 'lifecycle',
    check: 'create does no I/O',
    says: /must not begin input, output or timers/,
    breaks: () => {
      clearTimeout(setTimeout(() => undefined, 1))
      return {}
    },
  },
  {
    defect: 'stop leaves the line open',
    concern: 'lifecycle',
    check: 'nothing is delivered after stop',
    says: /delivered after stop/,
    breaks: (_adapter, context) => ({
      async stop() {
        context.state({ state: 'stopped' })
      },
    }),
  },
  {
    defect: 'alters a byte on its way out',
    concern: 'send',
    check: 'a frame arrives byte for byte',
    says: /reach the native client/,
    breaks: (adapter) => ({
      send: (intent, signal) =>
        adapter.send({ ...intent, frame: intent.frame.with(0, intent.frame[0]! ^ 1) }, signal),
    }),
  },
  {
    defect: 'alters a byte on its way in',
    concern: 'receive',
    check: "a native client's frame is delivered byte for byte",
    says: /in vain for the frame to be delivered/,
    options: { history: false },
    context: delivering((inbound) => ({ ...inbound, frame: inbound.frame.with(0, inbound.frame[0]! ^ 1) })),
  },
  {
    defect: 'gives seconds for remoteTime',
    concern: 'receive',
    check: "a native client's frame is delivered byte for byte",
    says: /Unix milliseconds/,
    context: delivering((inbound) => ({
      ...inbound,
      remoteTime: Math.floor((inbound.remoteTime ?? 0) / 1000),
    })),
  },
  {
    defect: 'makes up a new remote id for each delivery',
    concern: 'dedup',
    check: 'a message that the network delivers again has the same remote id',
    says: /-stream|another id/,
    context: delivering((inbound) => ({ ...inbound, remoteId: `${inbound.remoteId}-${inbound.via}` })),
  },
  {
    defect: 'takes a frame over the limit and cuts it',
    concern: 'send',
    check: 'one byte more is refused',
    says: /must reject with tooLarge, but it resolved/,
    options: { maxFrameBytes: 1000 },
    breaks: (adapter) => ({
      send: (intent, signal) => adapter.send({ ...intent, frame: intent.frame.slice(0, 1000) }, signal),
    }),
  },
  {
    defect: 'declares a larger frame than it carries',
    concern: 'send',
    check: 'a frame of exactly maxFrameBytes',
    says: /at most 1000 bytes/,
    options: { maxFrameBytes: 1000 },
    breaks: declaring({ maxFrameBytes: 1001 }),
  },
  {
    defect: 'throws an ordinary Error',
    concern: 'errors',
    check: 'during an outage send rejects',
    says: /must reject with an AdapterError/,
    breaks: (adapter) => ({
      send: (intent, signal) =>
        adapter.send(intent, signal).catch(() => {
          throw new Error('ECONNREFUSED')
        }),
    }),
  },
  {
    defect: 'says retryable though the frame has left',
    concern: 'abort',
    check: 'a send aborted under way',
    says: /retryable, yet it arrived/,
    options: { latencyMs: 30 },
    breaks: (adapter) => ({
      send: (intent, signal) =>
        adapter.send(intent, signal).catch((cause: unknown) => {
          const error = Object.create(cause as object, { class: { value: 'retryable' } })
          throw error
        }),
    }),
  },
  {
    defect: 'ignores the abort signal',
    concern: 'abort',
    check: 'send with an aborted signal',
    says: /but it resolved/,
    breaks: (adapter) => ({ send: (intent) => adapter.send(intent, new AbortController().signal) }),
  },
  {
    defect: 'goes on saying connected in an outage',
    concern: 'errors',
    check: 'during an outage send rejects',
    says: /the state to leave "connected"/,
    context: (context) => ({
      ...context,
      state: (report) => {
        if (report.state !== 'transientDisconnect') context.state(report)
      },
    }),
  },
  {
    defect: 'answers null to find while it cannot ask',
    concern: 'history',
    check: 'find never answers null',
    says: /null says that the network certainly does not have it/,
    breaks: (adapter) => ({
      history: {
        ...adapter.history!,
        find: (intent, signal) => adapter.history!.find(intent, signal).catch(() => null),
      },
    }),
  },
  {
    defect: 'declares lookup, but knows only what it sent since it started',
    concern: 'history',
    check: 'find knows a send of before a restart',
    says: /before the restart/,
    breaks: (adapter) => {
      const sent = new Set<string>()
      return {
        send(intent, signal) {
          sent.add(intent.transactionId)
          return adapter.send(intent, signal)
        },
        history: {
          ...adapter.history!,
          find: async (intent, signal) =>
            sent.has(intent.transactionId) ? adapter.history!.find(intent, signal) : null,
        },
      }
    },
  },
  {
    defect: 'declares history, but a walk yields nothing',
    concern: 'history',
    check: 'capability history',
    says: /history.walk to yield/,
    breaks: (adapter) => ({ history: { ...adapter.history!, async *walk() {} } }),
  },
  {
    defect: 'has a history facet that it does not declare',
    concern: 'capabilities',
    check: 'capabilities and facets agree',
    says: /exactly if declared/,
    breaks: declaring({ history: false, lookup: false }),
  },
  {
    defect: 'declares echo false, but hears itself',
    concern: 'echo',
    check: 'capability echo',
    says: /declared false, but one came/,
    breaks: declaring({ echo: false }),
  },
  {
    defect: 'declares echo, but does not hear itself',
    concern: 'echo',
    check: 'capability echo',
    says: /in vain for the echo/,
    options: { echo: false },
    breaks: declaring({ echo: true }),
  },
  {
    defect: 'says that it carries the transaction id, and drops it',
    concern: 'echo',
    check: 'manifest.carriesTransactionId',
    says: /null/,
    context: delivering((inbound) => ({ ...inbound, transactionId: null })),
  },
  {
    defect: 'keeps ephemeral frames though it declares otherwise',
    concern: 'capabilities',
    check: 'capability ephemeral',
    says: /kept the frame/,
    breaks: (adapter) => ({
      send: (intent, signal) => adapter.send({ ...intent, ephemeral: false }, signal),
    }),
  },
  {
    defect: 'promises order on a network that reorders',
    concern: 'ordering',
    check: 'manifest.ordering: sends',
    says: /out of order/,
    options: { reordering: 0.5, latencyMs: 1 },
    manifest: { ordering: 'conversation' },
  },
  {
    defect: 'derives one address for two wallets',
    concern: 'identity',
    check: 'capability sharedAddresses',
    says: /same address/,
    breaks: (adapter) => ({
      identity: {
        ...adapter.identity!,
        addressOf: (wallet) => adapter.identity!.addressOf(wallet.slice(0, 12)),
      },
    }),
  },
  {
    defect: 'declares shared addresses, but gives each wallet its own',
    concern: 'identity',
    check: 'capability sharedAddresses',
    says: /a thousand addresses/,
    breaks: declaring({ sharedAddresses: true }),
  },
  {
    defect: 'writes whole addresses to the log',
    concern: 'send',
    check: 'a frame arrives byte for byte',
    says: /whole address of a wallet stands in a log/,
    breaks: (adapter, context) => ({
      send(intent, signal) {
        context.log.debug({ to: intent.to.wallet }, 'sending')
        return adapter.send(intent, signal)
      },
    }),
  },
  {
    defect: 'shows a secret in describe()',
    concern: 'operations',
    check: 'describe gives JSON',
    says: /the secret "network" of the configuration stands in describe/,
    manifest: {
      environment: [
        { name: 'SIMULATOR_NETWORK', path: 'network', description: 'for this test', secret: true },
      ],
    },
  },
  {
    defect: 'has a doctor who finds nothing wrong in an outage',
    concern: 'operations',
    check: 'doctor',
    says: /in vain for a finding of the doctor that is not ok/,
    breaks: () => ({ doctor: { examine: async () => [{ check: 'all', status: 'ok', message: 'fine' }] } }),
  },
]

/** The simulator with one defect. */
function broken({ breaks, context: lie, manifest }: Defect): AdapterDefinition {
  return {
    manifest: { ...simulator.manifest, ...manifest },
    config: simulator.config,
    create(config, context) {
      const adapter = simulator.create(simulator.config.parse(config), lie?.(context) ?? context)
      return { ...adapter, ...breaks?.(adapter, context) }
    },
  }
}

function checkNamed(concern: Concern, start: string): Check {
  const found = (contractChecks[concern] as Check[]).filter(({ name }) => name.startsWith(start))
  expect(found, `checks of ${concern} that start with "${start}"`).toHaveLength(1)
  return found[0]!
}

describe('the contract suite catches an adapter that', () => {
  let harness: ContractHarness

  afterEach(() => harness.teardown())

  it.each(defects)('$defect', async (defect) => {
    const check = checkNamed(defect.concern, defect.check)
    harness = await simulatorHarness(defect.options)
    await expect(
      runCheck(check, { ...harness, definition: broken(defect) }, { patienceMs: 1500 }),
    ).rejects.toThrow(defect.says)
  })

  it.each(defects.filter(({ options }) => !options?.reordering))(
    '… and passes one that does not: $defect',
    async (defect) => {
      harness = await simulatorHarness(defect.options)
      await runCheck(checkNamed(defect.concern, defect.check), harness)
    },
  )
})
