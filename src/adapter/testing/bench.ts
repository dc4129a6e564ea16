/** The bench that one check works at: it makes adapters and intents, and afterwards stops and inspects all it made. */
import assert from 'node:assert/strict'
import type { AdapterStorage } from '../context.ts'
import type { Adapter, Inbound, SendIntent } from '../contract.ts'
import { AdapterError, type AdapterErrorClass } from '../errors.ts'
import { randomFrame, randomHex, sameBytes } from './bytes.ts'
import { createRecordingContext, type RecordingContext } from './context.ts'
import type { ContractHarness, TestWallet } from './harness.ts'
import { assertInboundShape, assertNothingLeaked } from './invariants.ts'
import { DEFAULT_TIMEOUT_MS, settles, waitFor } from './wait.ts'
import { serveWebhooks, type WebhookServer } from './webhooks.ts'

/** One statement of the contract, and the code that tries it. */
export interface Check {
  name: string
  run(bench: Bench): Promise<void>
}

/** An adapter under test with its context. */
export interface Opened {
  readonly adapter: Adapter
  readonly context: RecordingContext
  /** Starts it; does not wait for `connected`. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Waits for the last state report to be `connected`. */
  connected(): Promise<void>
}

export interface Bench {
  readonly harness: ContractHarness
  /** The first two wallets of the harness. */
  readonly alice: TestWallet
  readonly bob: TestWallet
  /** `waitFor` and `settles`, with no more patience than the run of the check has. */
  waitFor: typeof waitFor
  settles: typeof settles
  /** Makes an adapter that is not started. Pass the storage of an earlier context to play a restart. */
  open(options?: { storage?: AdapterStorage }): Opened
  /** Makes an adapter, starts it and waits until it is connected. */
  connect(options?: { storage?: AdapterStorage }): Promise<Opened>
  /** An intent of Alice's for Bob with a random frame, transaction id, envelope id and conversation. */
  intent(change?: Partial<SendIntent>): SendIntent
  /** Address at which `opened` hears what a native client sends to the wallet at `recipient`. */
  addressHeard(opened: Opened, recipient: string): string | null
  /** A wallet that the network has never heard of. */
  stranger(): string
  /** Sends and asserts that the receipt has the contract's shape. Resolves with the remote ids, empty while pending. */
  send(opened: Opened, intent: SendIntent): Promise<string[]>
  /** How often Bob's native client got this frame. */
  copies(frame: Uint8Array, address?: string): Promise<number>
  arrival(frame: Uint8Array, address?: string): Promise<void>
  /** Waits until the adapter delivered `frame`, by stream or, where there is one, from its history. */
  heard(opened: Opened, frame: Uint8Array, since: number): Promise<Inbound>
  /** Everything that a history walk yields; empty without a history facet. */
  walk(opened: Opened, since: number): Promise<Inbound[]>
  /** Sends one more frame to the same address and waits for it, so that anything sent earlier had its chance to arrive. */
  settle(opened: Opened, intent: SendIntent): Promise<void>
  /** Asserts that the promise rejects in time with an `AdapterError` of one of the classes, and keeps it for the leak check. */
  rejects(
    promise: Promise<unknown>,
    classes: readonly AdapterErrorClass[],
    what: string,
  ): Promise<AdapterError>
  /** Runs `work` with the gateway cut off; false, and nothing is run, where the harness has no outage. */
  duringOutage(work: () => Promise<void>): Promise<boolean>
}

const CLASSES: readonly AdapterErrorClass[] = [
  'retryable',
  'permanent',
  'uncertain',
  'rateLimited',
  'auth',
  'unsupported',
  'tooLarge',
]

/** Pause in milliseconds in which something that must not happen would have happened. */
export const GRACE_MS = 300

export const neverAborted = (): AbortSignal => new AbortController().signal

/**
 * Runs one check over a harness that is set up, and afterwards the invariants that hold for every check: stop works,
 * inbound frames are well-formed, and no secret or whole address was written to a log, a state or a description.
 * Rejects with the check's own failure first. `patienceMs` caps every wait, to see quickly that a check fails.
 */
export async function runCheck(
  check: Check,
  harness: ContractHarness,
  options: { patienceMs?: number } = {},
): Promise<void> {
  const opened: (Opened & { close(): Promise<void> })[] = []
  const errors: AdapterError[] = []
  const bench = createBench(harness, opened, errors, options.patienceMs ?? Number.POSITIVE_INFINITY)
  try {
    await check.run(bench)
  } finally {
    await harness.network.outage?.(false)
    for (const one of opened) await one.close()
  }
  for (const { adapter, context } of opened) {
    assertInboundShape(context)
    assertNothingLeaked(harness, adapter, context, errors)
  }
}

function createBench(
  harness: ContractHarness,
  opened: (Opened & { close(): Promise<void> })[],
  errors: AdapterError[],
  patienceMs: number,
): Bench {
  const [alice, bob] = harness.wallets
  assert.ok(alice && bob, 'the harness needs two wallets or more')
  const { network, definition } = harness

  const bench: Bench = {
    harness,
    alice,
    bob,
    waitFor: (condition, options = {}) =>
      waitFor(condition, {
        ...options,
        timeoutMs: Math.min(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, patienceMs),
      }),
    settles: (promise, what, timeoutMs = DEFAULT_TIMEOUT_MS) =>
      settles(promise, what, Math.min(timeoutMs, patienceMs)),
    open(options) {
      const one = openAdapter(harness, options?.storage)
      opened.push(one)
      return one
    },
    async connect(options) {
      const one = bench.open(options)
      await one.start()
      await one.connected()
      return one
    },
    intent: (change) => ({
      transactionId: randomHex(16),
      envelopeId: randomFrame(32),
      frame: randomFrame(),
      to: bob,
      from: alice,
      conversation: randomFrame(32),
      ephemeral: false,
      silent: false,
      attempt: 1,
      ...change,
    }),
    addressHeard: ({ adapter }, recipient) =>
      harness.heardAt === 'gateway' ? (adapter.identity?.ownAddress() ?? null) : recipient,
    stranger: () => `eip155:*:0x${randomHex(20)}`,
    async send({ adapter }, intent) {
      const receipt = await bench.settles(adapter.send(intent, neverAborted()), 'send')
      if ('pending' in receipt) {
        assert.equal(receipt.pending, intent.transactionId, 'a pending receipt names the transaction')
        return []
      }
      assert.ok(receipt.remoteIds.length > 0, 'a receipt has a remote id, or is pending')
      for (const id of receipt.remoteIds)
        assert.ok(typeof id === 'string' && id !== '', 'remote ids are strings')
      return receipt.remoteIds
    },
    async copies(frame, address = bob.address) {
      return (await network.received(address)).filter((other) => sameBytes(frame, other)).length
    },
    async arrival(frame, address = bob.address) {
      await bench.waitFor(async () => (await bench.copies(frame, address)) > 0, {
        what: 'the frame to reach the native client byte for byte',
      })
    },
    heard: (one, frame, since) =>
      bench.waitFor(
        async () => {
          const live = one.context.heard(frame)[0]
          if (live) return live
          return (await bench.walk(one, since)).find((inbound) => sameBytes(inbound.frame, frame))
        },
        { what: 'the frame to be delivered by stream, webhook or history', intervalMs: 100 },
      ),
    async walk({ adapter }, since) {
      const found: Inbound[] = []
      if (!adapter.history) return found
      const addresses = [...new Set(harness.wallets.map((wallet) => wallet.address))]
      const pairs = addresses.flatMap((local) =>
        addresses.filter((peer) => peer > local).map((peer) => ({ local, peer })),
      )
      for await (const inbound of adapter.history.walk({ since, pairs }, neverAborted())) {
        assert.equal(inbound.via, 'history', 'what a walk yields is marked via history')
        found.push({ ...inbound, frame: Uint8Array.from(inbound.frame) })
      }
      return found
    },
    async settle(one, intent) {
      const marker = bench.intent({ to: intent.to, from: intent.from, conversation: intent.conversation })
      await bench.send(one, marker)
      await bench.arrival(marker.frame, intent.to.address)
      await one.context.clock.sleep(GRACE_MS)
    },
    async rejects(promise, classes, what) {
      const error: unknown = await bench.settles(promise, what).then(
        () => assert.fail(`${what} must reject with ${classes.join(' or ')}, but it resolved`),
        (caught: unknown) => caught,
      )
      assert.ok(AdapterError.is(error), `${what} must reject with an AdapterError, but: ${String(error)}`)
      assert.ok(CLASSES.includes(error.class), `"${error.class}" is no class of AdapterError`)
      if (error.class === 'rateLimited')
        assert.ok((error.retryAfterMs ?? 0) > 0, 'rateLimited needs retryAfterMs')
      const expected = `${what} must reject with ${classes.join(' or ')}, but: ${error.class}: ${error.message}`
      assert.ok(classes.includes(error.class), expected)
      errors.push(error)
      return error
    },
    async duringOutage(work) {
      if (!network.outage) return false
      await network.outage(true)
      try {
        await work()
      } finally {
        await network.outage(false)
      }
      return true
    },
  }

  function openAdapter(from: ContractHarness, storage?: AdapterStorage) {
    const context = createRecordingContext(storage ? { storage } : {})
    const adapter = definition.create(definition.config.parse(from.config), context)
    let webhooks: WebhookServer | null = null

    async function stop() {
      await webhooks?.close()
      webhooks = null
      await bench.settles(adapter.stop(neverAborted()), 'stop')
    }
    return {
      adapter,
      context,
      async start() {
        if (adapter.webhook && !webhooks) {
          webhooks = await serveWebhooks(definition.manifest.network, adapter.webhook)
          await from.connectGateway?.({ baseUrl: webhooks.baseUrl })
        }
        await bench.settles(adapter.start(neverAborted()), 'start', 60_000)
      },
      stop,
      async connected() {
        await bench.waitFor(() => context.lastState() === 'connected', {
          timeoutMs: 60_000,
          what: `the state "connected" (last report: ${context.lastState()})`,
        })
      },
      async close() {
        await stop()
        await context.dispose()
      },
    }
  }
  return bench
}
