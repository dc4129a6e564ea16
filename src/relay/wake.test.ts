import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AdapterDefinition,
  AdapterError,
  type AdapterState,
  type StateReport,
  type WakeResult,
} from '../adapter/index.ts'
import { FLAGS } from '../envelope/index.ts'
import { createLiveHub } from '../live/hub.ts'
import type { InboxItem, StoredEndpoint } from '../store/port.ts'
import type { Networks, PublishOptions } from './types.ts'
import { createWaker, type Waker } from './wake.ts'

const wakers: Waker[] = []
afterEach(async () => {
  await Promise.all(wakers.splice(0).map((waker) => waker.stop()))
})

const item = (change: Partial<InboxItem> = {}) =>
  ({ direction: 'received', mode: 'sealed', via: 'http', flags: 0, ...change }) as InboxItem

/** A network with wake-ups, one that notifies devices, and one that does neither. */
function made(answer: () => Promise<WakeResult> = async () => ({ outcome: 'sent', quietUntil: 1_000 })) {
  const time = { now: 0 }
  const calls: { wallet: string; seenAt: number | null }[] = []
  const states: Record<string, AdapterState> = {
    wakes: 'connected',
    notifies: 'connected',
    plain: 'connected',
  }
  const listeners: ((network: string, report: StateReport) => void)[] = []
  const route = { policy: 'mirror' as const, order: ['plain', 'notifies'], fallbackAfterMs: 0 }
  const endpoints = new Map<string, string[]>()
  const live = createLiveHub()
  const running = (network: string) => ({
    name: network,
    definition: { manifest: { network, notifiesDevices: network === 'notifies' } } as AdapterDefinition,
    adapter:
      network === 'wakes'
        ? {
            wake: {
              wake(wallet: string, seenAt: number | null) {
                calls.push({ wallet, seenAt })
                return answer()
              },
            },
          }
        : {},
  })
  const networks = {
    names: () => Object.keys(states),
    list: () => Object.entries(states).map(([network, state]) => ({ network, state })),
    get: (network: string) => (network in states ? running(network) : undefined),
    onState(listener: (typeof listeners)[number]) {
      listeners.push(listener)
      return () => void listeners.splice(0)
    },
  } as unknown as Networks
  const directory = {
    route: async () => route,
    endpoints: async (wallet: string) =>
      (endpoints.get(wallet) ?? ['plain']).map((network) => ({ network }) as StoredEndpoint),
  }
  const clock = {
    now: () => time.now,
    monotonic: () => time.now,
    // The moment that a network has to obey passes at once, its deadline never.
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        if (ms <= 1_000) resolve()
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      }),
  }
  const silent = { debug() {}, info() {}, warn() {}, error() {} }
  const waker = createWaker({ networks, directory, live, clock, log: silent })
  wakers.push(waker)
  waker.start()
  return {
    waker,
    live,
    calls,
    time,
    route,
    endpoints,
    /** Everything that a publication leads to has been done. */
    async publish(wallet: string, change: Partial<InboxItem> = {}, how: PublishOptions = {}) {
      waker.publish(wallet, item(change), how)
      for (let turn = 0; turn < 5; turn++) await setImmediate()
    },
    turn(network: string, state: AdapterState) {
      states[network] = state
      for (const listener of listeners) listener(network, { state })
    },
  }
}

describe('wake-ups', () => {
  it('are for wallets that nothing else tells of a message', async () => {
    const { publish, calls, live, endpoints } = made()
    await publish('away')
    live.subscribe('listening', { item: () => true, dropped() {} })
    await publish('listening')
    endpoints.set('notified', ['plain', 'notifies'])
    await publish('notified')
    expect(calls).toEqual([{ wallet: 'away', seenAt: null }])
  })

  it('count a network that notifies devices only while it is there and in the route', async () => {
    const { publish, calls, endpoints, route, turn } = made()
    for (const wallet of ['one', 'two', 'three']) endpoints.set(wallet, ['notifies'])
    await publish('one')
    expect(calls).toEqual([])
    turn('notifies', 'transientDisconnect')
    await publish('two')
    turn('notifies', 'connected')
    route.order = ['plain']
    await publish('three')
    expect(calls.map(({ wallet }) => wallet)).toEqual(['two', 'three'])
  })

  it('are not for what was sent, is silent, muted or ephemeral, was there before, or came from that network itself', async () => {
    const { publish, calls } = made()
    await publish('away', { direction: 'sent' })
    await publish('away', { flags: FLAGS.silent })
    await publish('away', { flags: FLAGS.ephemeral })
    await publish('away', {}, { completed: true })
    await publish('away', {}, { quiet: true })
    await publish('away', { mode: 'hop', via: 'wakes' })
    await publish('away', { mode: 'opaque', via: 'wakes' })
    expect(calls).toEqual([])
    // An envelope that only rode there was told to nobody.
    await publish('away', { via: 'wakes' })
    await publish('another', { mode: 'hop', via: 'plain' })
    expect(calls).toHaveLength(2)
  })

  it('leave a wallet alone as long as the network says, unless it was here', async () => {
    const { publish, calls, time, waker } = made()
    await publish('away')
    await publish('away')
    expect(calls).toHaveLength(1)
    time.now = 10
    waker.seen('away')
    await publish('away')
    expect(calls).toEqual([
      { wallet: 'away', seenAt: null },
      { wallet: 'away', seenAt: 10 },
    ])
    time.now = 1_001
    await publish('away')
    expect(calls).toHaveLength(3)
  })

  it('that fail are tried again with a later message, a minute on', async () => {
    const { publish, calls, time } = made(async () => {
      throw new AdapterError('retryable', 'not there')
    })
    await publish('away')
    time.now = 59_999
    await publish('away')
    expect(calls).toHaveLength(1)
    time.now = 60_000
    await publish('away')
    expect(calls).toHaveLength(2)
  })

  it('wait for nobody and hold nobody up: the item is with its listeners first, and the network may hang', async () => {
    const { publish, calls, live } = made(() => new Promise(() => {}))
    const items: unknown[] = []
    for (let wallet = 0; wallet < 20; wallet++) await publish(`away ${wallet}`)
    expect(calls).toHaveLength(4)
    live.subscribe('listening', { item: () => items.push('item') > 0, dropped() {} })
    await publish('listening')
    expect(items).toEqual(['item'])
  })

  it('are none while the network is away', async () => {
    const { publish, calls, turn } = made()
    turn('wakes', 'transientDisconnect')
    await publish('away')
    expect(calls).toEqual([])
    turn('wakes', 'connected')
    await publish('away')
    expect(calls).toHaveLength(1)
  })
})
