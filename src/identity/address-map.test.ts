import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Route } from '../store/port.ts'
import { DEFAULT_ROUTE, signIn, startTestGateway, type TestGateway } from './testing/gateway.ts'
import { codeOf, testWallet } from './testing/wallets.ts'

const alice = testWallet(1)
const bob = testWallet(2)
const ADDRESS = 'ab'.repeat(16)
let gateway: TestGateway
beforeEach(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.close())

const derived = (wallet: string, network: string) =>
  gateway.networks.derived(wallet).find((candidate) => candidate.network === network)!.address

describe('endpoints', () => {
  it('are derived at the first sign-in', async () => {
    const { identity, store } = gateway
    expect(await identity.isServed(alice.wallet)).toBe(false)
    expect(await identity.allEndpoints(alice.wallet)).toEqual([])
    await signIn(identity, alice)
    expect(await identity.isServed(alice.wallet)).toBe(true)
    const endpoints = await identity.endpoints(alice.wallet)
    expect(endpoints.map(({ network, address, source }) => [network, address, source])).toEqual([
      ['fast', derived(alice.wallet, 'fast'), 'derived'],
      ['shared', derived(alice.wallet, 'shared'), 'derived'],
    ])
    expect(await store.walletsAt('fast', derived(alice.wallet, 'fast'))).toEqual([alice.wallet])
  })

  it('are not made for wallets that are not served', async () => {
    await gateway.identity.endpoints(bob.wallet)
    expect(await gateway.store.endpoints(bob.wallet)).toEqual([])
  })

  it('are derived later for networks that join later, and rest while theirs is off', async () => {
    const { identity, networks } = gateway
    await signIn(identity, alice)
    networks.enabled.add('later')
    const names = async () => (await identity.endpoints(alice.wallet)).map(({ network }) => network)
    expect(await names()).toEqual(['fast', 'later', 'shared'])
    networks.enabled.delete('fast')
    expect(await names()).toEqual(['later', 'shared'])
    expect(await identity.allEndpoints(alice.wallet)).toHaveLength(3)
  })

  it('follow a network that derives its addresses in a new way', async () => {
    const { identity, networks } = gateway
    const { session } = await signIn(identity, alice)
    await identity.setEndpoint(session, { network: 'shared', enabled: false })
    networks.version = '2'
    const endpoints = await identity.allEndpoints(alice.wallet)
    expect(endpoints.map(({ network, address, enabled }) => [network, address, enabled])).toEqual([
      ['fast', derived(alice.wallet, 'fast'), true],
      ['shared', derived(alice.wallet, 'shared'), false],
    ])
  })

  it('are chosen, switched off and switched back to the derived address', async () => {
    const { identity } = gateway
    const { session } = await signIn(identity, alice)
    const set = (input: { address?: string; enabled: boolean }) =>
      identity.setEndpoint(session, { network: 'shared', ...input })
    const chosen = { address: 'bucket-0', source: 'chosen', exclusive: false }
    expect(await set({ address: 'bucket-0', enabled: true })).toMatchObject(chosen)
    expect(await identity.endpoints(alice.wallet)).toContainEqual(expect.objectContaining(chosen))
    expect(await set({ enabled: false })).toMatchObject({ address: 'bucket-0', enabled: false })
    expect((await identity.endpoints(alice.wallet)).map(({ network }) => network)).toEqual(['fast'])
    const own = derived(alice.wallet, 'shared')
    expect(await set({ enabled: true })).toMatchObject({ address: own, enabled: true, source: 'derived' })
    expect(await set({ address: own, enabled: false })).toMatchObject({
      address: own,
      source: 'derived',
      enabled: false,
    })
  })

  it('are refused with a bad address, on a network that is off, and where nothing is derived', async () => {
    const { identity } = gateway
    const { session } = await signIn(identity, alice)
    const set = (input: { network: string; address?: string }) =>
      codeOf(() => identity.setEndpoint(session, { ...input, enabled: true }))
    expect(await set({ network: 'fast', address: 'x' })).toBe('endpoint-address-invalid')
    expect(await set({ network: 'later' })).toBe('network-not-enabled')
    expect(await set({ network: 'nowhere', address: ADDRESS })).toBe('network-not-enabled')
    expect(await set({ network: 'chosen' })).toBe('endpoint-address-invalid')
  })

  it('are exclusive where the network is', async () => {
    const { identity } = gateway
    const [{ session: first }, { session: second }] = [
      await signIn(identity, alice),
      await signIn(identity, bob),
    ]
    const choice = { network: 'chosen', address: ADDRESS, enabled: true }
    await identity.setEndpoint(first, choice)
    expect(await codeOf(() => identity.setEndpoint(second, choice))).toBe('endpoint-taken')
    const bucket = { network: 'shared', address: 'bucket-0', enabled: true }
    await identity.setEndpoint(first, bucket)
    await identity.setEndpoint(second, bucket)
    expect(await gateway.store.walletsAt('shared', 'bucket-0')).toEqual([alice.wallet, bob.wallet])
    const theirs = { network: 'fast', address: derived(alice.wallet, 'fast'), enabled: true }
    expect(await codeOf(() => identity.setEndpoint(second, theirs))).toBe('endpoint-address-invalid')
  })

  it('are never those that follow from another wallet, taken or not', async () => {
    const { identity } = gateway
    const { session } = await signIn(identity, bob)
    const theirs = { network: 'fast', address: derived(alice.wallet, 'fast'), enabled: true }
    expect(await codeOf(() => identity.setEndpoint(session, theirs))).toBe('endpoint-address-invalid')
    await signIn(identity, alice)
    expect(await codeOf(() => identity.setEndpoint(session, theirs))).toBe('endpoint-address-invalid')
  })

  it('give a derived address to the wallet from which it follows, though another chose it before the network derived any', async () => {
    const { identity, store } = gateway
    await signIn(identity, bob)
    const squatted = derived(alice.wallet, 'fast')
    const [before] = await store.endpoints(bob.wallet)
    await store.putEndpoint({ ...before!, address: squatted, source: 'chosen' })
    await signIn(identity, alice)
    expect(await store.walletsAt('fast', squatted)).toEqual([alice.wallet])
    const own = { network: 'fast', address: derived(bob.wallet, 'fast'), source: 'derived' }
    expect((await gateway.restarted().endpoints(bob.wallet))[0]).toMatchObject(own)
  })
})

describe('routes', () => {
  it('are the default until the wallet chooses', async () => {
    const { identity } = gateway
    const { session } = await signIn(identity, alice)
    expect(await identity.route(alice.wallet)).toEqual(DEFAULT_ROUTE)
    const route: Route = { policy: 'fallback', order: ['shared', 'fast'], fallbackAfterMs: 2000 }
    expect(await identity.setRoute(session, route)).toEqual(route)
    expect(await identity.route(alice.wallet)).toEqual(route)
    expect(await gateway.restarted().route(alice.wallet)).toEqual(route)
    expect(await identity.route(bob.wallet)).toEqual(DEFAULT_ROUTE)
    await identity.setRoute(session, { ...route, order: 'ranked' })
    expect(await identity.route(alice.wallet)).toMatchObject({ order: 'ranked' })
  })

  it.each([
    [{ policy: 'flood' }, 'route-invalid'],
    [{ order: [] }, 'route-invalid'],
    [{ order: ['fast', 'fast'] }, 'route-invalid'],
    [{ order: 'fast' }, 'route-invalid'],
    [{ order: ['fast', 'nowhere'] }, 'network-not-enabled'],
    [{ fallbackAfterMs: -1 }, 'route-invalid'],
    [{ fallbackAfterMs: 3_600_001 }, 'route-invalid'],
    [{ fallbackAfterMs: 0.5 }, 'route-invalid'],
  ])('are refused with %j', async (changes, code) => {
    const { session } = await signIn(gateway.identity, alice)
    const route = { ...DEFAULT_ROUTE, ...changes } as Route
    expect(await codeOf(() => gateway.identity.setRoute(session, route))).toBe(code)
  })
})
