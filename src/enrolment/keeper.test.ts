import { afterEach, describe, expect, it } from 'vitest'
import { type AdapterState, type EnrolmentFacet, type NativeInbound, systemClock } from '../adapter/index.ts'
import { waitFor } from '../adapter/testing/index.ts'
import { createCustody } from '../custody.ts'
import type { Networks } from '../relay/types.ts'
import { enrolment as newEnrolment, walletOf } from '../store/testing/records.ts'
import { openStore } from '../store/testing/stores.ts'
import { createKeeper, type Keeper } from './keeper.ts'
import type { ActiveEnrolment, EnrolmentSettings } from './types.ts'

const NETWORK = 'xmtp'
const custody = createCustody({ key: new Uint8Array(32).fill(3), previous: [] })
const nothingKnown = { bytes: new Uint8Array(), signature: new Uint8Array() }

const SETTINGS: EnrolmentSettings = {
  maxPerWallet: 4,
  maxTotal: 100,
  maxOpen: 100,
  maxOpening: 3,
  idleCloseMs: 3_600_000,
  wakeIntervalMs: 3_600_000,
  walkIntervalMs: 3_600_000,
  walkOverlapMs: 0,
  completeWithinMs: 60_000,
}

/** An adapter that keeps what is asked of it. */
function recordedFacet() {
  const open = new Set<string>()
  const walks: { id: string; since: number }[] = []
  const state = { opening: 0, mostOpening: 0, secrets: new Map<string, Uint8Array>(), failWalks: 0 }
  const facet: EnrolmentFacet = {
    terms: { meaning: 'x', handover: 'none', groups: true },
    begin: async () => ({ text: 'x' }),
    complete: async () => ({ address: 'x' }),
    cancel: async () => undefined,
    async open({ id, secret }) {
      state.mostOpening = Math.max(state.mostOpening, ++state.opening)
      await systemClock.sleep(5)
      state.opening--
      state.secrets.set(id, Uint8Array.from(secret))
      open.add(id)
    },
    async close(id) {
      open.delete(id)
    },
    revoke: async () => ({ remote: 'none' }),
    send: async () => ({ remoteIds: ['1'] }),
    find: async () => null,
    async *walk({ enrolment, since }) {
      walks.push({ id: enrolment, since })
      yield { enrolment, remoteId: `of ${enrolment}` } as NativeInbound
      if (state.failWalks-- > 0) throw new Error('the network went away')
    },
  }
  return { facet, open, walks, state }
}

const running: Keeper[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((keeper) => keeper.stop()))
})

async function setUp(settings: Partial<EnrolmentSettings> = {}, holds = async (_id: string) => true) {
  const store = await openStore()
  const recorded = recordedFacet()
  let facet = recorded.facet
  const listeners = new Set<(network: string, report: { state: AdapterState }) => void>()
  const networks = {
    list: () => [{ network: NETWORK, state: 'starting' }],
    get: (name: string) => (name === NETWORK ? { adapter: { enrolment: facet } } : undefined),
    onState(listener: (network: string, report: { state: AdapterState }) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as Networks
  const delivered: string[] = []
  const problems: string[] = []
  const note = (_: unknown, text: string) => void problems.push(text)
  const keeper = createKeeper(
    {
      store,
      networks,
      custody,
      clock: systemClock,
      random: { bytes: (length) => new Uint8Array(length), fraction: () => 0 },
      log: { debug() {}, info() {}, warn: note, error: note },
      settings: { ...SETTINGS, ...settings },
      async deliver(_network, { remoteId }) {
        delivered.push(remoteId)
        return { outcome: 'accepted', id: remoteId }
      },
    },
    holds,
  )
  running.push(keeper)
  keeper.start()
  return {
    ...recorded,
    keeper,
    store,
    delivered,
    problems,
    network(state: AdapterState) {
      for (const listener of listeners) listener(NETWORK, { state })
    },
    replace(other: EnrolmentFacet) {
      facet = other
    },
    async enrol(name: string): Promise<ActiveEnrolment> {
      const wallet = walletOf(name)
      const secret = custody.wrap(new TextEncoder().encode(`secret of ${name}`), {
        id: name,
        network: NETWORK,
      })
      await store.putEnrolment(newEnrolment(name, { wallet, network: NETWORK, secret }))
      await store.completeEnrolment({ id: name, address: name, secret })
      const account = { kind: 'evm-account' as const, address: '0x', chainId: 1 }
      const times = { device: new Uint8Array(32), expiresAt: Number.MAX_SAFE_INTEGER }
      const active = {
        id: name,
        wallet,
        network: NETWORK,
        account,
        address: name,
        consent: nothingKnown,
        ...times,
      }
      keeper.add(active, 'closed')
      return active
    },
  }
}

const settled = (what: string, condition: () => boolean | Promise<boolean>) => waitFor(condition, { what })
const never = new AbortController().signal

describe('connections of enrolments', () => {
  it('are opened when the network comes up, few at a time, with their secrets, and read what they missed', async () => {
    const { enrol, network, open, state, walks, delivered, store } = await setUp()
    const names = Array.from({ length: 10 }, (_, index) => `wallet ${index}`)
    for (const name of names) await enrol(name)
    expect(open.size).toBe(0)
    network('connected')
    await settled('all to be open and read', () => open.size === 10 && delivered.length === 10)
    expect(state.mostOpening).toBeLessThanOrEqual(SETTINGS.maxOpening)
    expect(new TextDecoder().decode(state.secrets.get('wallet 3'))).toBe('secret of wallet 3')
    // From the moment of the enrolment on; the next one starts where this one did.
    expect(new Set(walks.map(({ since }) => since))).toEqual(new Set([1_000]))
    await settled('the cursors', async () => (await store.getEnrolment('wallet 3'))!.walkedAt > 1_000)
  })

  it('are as many as may be: those used least lately are closed, and opened again when they are needed', async () => {
    const { enrol, network, open, keeper } = await setUp({ maxOpen: 2, wakeIntervalMs: 3_600_000 })
    for (const name of ['a', 'b', 'c', 'd', 'e']) await enrol(name)
    network('connected')
    await settled('no more than two', () => open.size === 2)
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await keeper.use(name, never, async () => expect(open.has(name)).toBe(true))
    }
    await settled('no more than two again', () => open.size === 2)
    expect(keeper.connection('a')).toEqual({ state: 'closed' })
  })

  it('are closed when they are idle, and woken to read', async () => {
    const { enrol, network, open, walks } = await setUp({ idleCloseMs: 1_500, wakeIntervalMs: 2_500 })
    await enrol('a')
    network('connected')
    await settled('it to be open', () => open.has('a'))
    await settled('it to be closed', () => !open.has('a'))
    const before = walks.length
    await settled('it to be woken', () => walks.length > before)
  })

  it('begin anew with another instance of the adapter', async () => {
    const { enrol, network, open, replace, keeper } = await setUp()
    await enrol('a')
    network('connected')
    await settled('it to be open', () => open.has('a'))
    const second = recordedFacet()
    replace(second.facet)
    network('starting')
    expect(keeper.connection('a')).toEqual({ state: 'closed' })
    network('connected')
    await settled('it to be open there', () => second.open.has('a'))
  })

  it('are walked again after a loss, and a walk that failed does not move the cursor', async () => {
    const { enrol, network, keeper, walks, state, store, problems } = await setUp()
    state.failWalks = 1
    await enrol('a')
    network('connected')
    await settled('the failure', () => problems.some((text) => /missed/.test(text)))
    expect((await store.getEnrolment('a'))!.walkedAt).toBe(1_000)
    keeper.report('a', { state: 'transientDisconnect' })
    expect(keeper.connection('a')).toEqual({ state: 'transientDisconnect' })
    keeper.report('a', { state: 'connected' })
    await settled('another walk', () => walks.length === 2)
    await settled('the cursor', async () => (await store.getEnrolment('a'))!.walkedAt > 1_000)
  })

  it('that the network has logged out are left alone', async () => {
    const { enrol, network, keeper, open } = await setUp({ wakeIntervalMs: 1, idleCloseMs: 1 })
    await enrol('a')
    network('connected')
    await settled('it to be open', () => open.has('a'))
    keeper.report('a', { state: 'loggedOut', userAction: 'Enrol again.' })
    await systemClock.sleep(1_500)
    expect(keeper.connection('a')).toMatchObject({ state: 'loggedOut', userAction: 'Enrol again.' })
  })

  it('are not opened without a consent, and end with the enrolment', async () => {
    const { enrol, network, keeper, open } = await setUp({}, async (id) => id !== 'ended')
    for (const name of ['ended', 'a']) await enrol(name)
    network('connected')
    await settled('the other to be open', () => open.has('a'))
    await expect(keeper.use('ended', never, async () => 'used')).rejects.toMatchObject({ class: 'permanent' })
    expect([...open]).toEqual(['a'])
    expect(keeper.of(walletOf('a'), NETWORK)?.id).toBe('a')
    await keeper.remove('a')
    expect(keeper.get('a')).toBeNull()
    expect(keeper.of(walletOf('a'), NETWORK)).toBeNull()
    await expect(keeper.use('a', never, async () => 'used')).rejects.toMatchObject({ class: 'permanent' })
  })

  it('do not hold up whoever does not wait any longer', async () => {
    const { enrol, keeper } = await setUp()
    await enrol('a')
    const aborted = AbortSignal.abort(new Error('enough'))
    await expect(keeper.use('a', aborted, async () => 'used')).rejects.toMatchObject({ class: 'retryable' })
  })
})
