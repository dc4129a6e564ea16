import { afterEach, expect, it } from 'vitest'
import { toHex } from '../envelope/index.ts'
import { failure, type Script, scripted } from '../relay/testing/scripted.ts'
import { HttpBench, type SignedIn, seal, until } from './testing/bench.ts'

const bench = new HttpBench()
afterEach(() => bench.close())

async function setUp(scripts: { trtc?: Script; xmtp?: Script } = {}) {
  const networks = Object.fromEntries(
    Object.entries(scripts).map(([name, script]) => [name, scripted(script).definition]),
  )
  const { signIn, gateway } = await bench.gateway({ networks })
  return { gateway, alice: await signIn(), bob: await signIn(), carol: await signIn() }
}

const setRoute = (owner: SignedIn, route: object) =>
  owner.call('PUT', `/v1/wallets/${encodeURIComponent(owner.wallet)}/route`, route)

async function send(from: SignedIn, to: SignedIn): Promise<string> {
  const { id, bytes } = await seal(from.person, [to])
  expect((await from.call('POST', '/v1/envelopes', bytes)).status).toBe(202)
  return toHex(id)
}

const stepsOf = async (reader: SignedIn, id: string) =>
  (await reader.call('GET', `/v1/routes/explain?envelope=${id}`)).body.routes[0].steps

it('a wallet has rules of its own for single wallets, named in any form', async () => {
  const { alice, bob, carol } = await setUp({ trtc: {} })
  const fallback = { policy: 'fallback', order: ['waku', 'trtc'], fallbackAfterMs: 9_000 }
  const mirror = { policy: 'mirror', order: ['trtc'], fallbackAfterMs: 1_000 }
  const set = await setRoute(bob, {
    ...mirror,
    overrides: [{ peer: `eip155:1:${alice.person.signer.address}`, ...fallback }],
  })
  expect(set).toMatchObject({ status: 200, body: { overrides: [{ peer: alice.wallet, ...fallback }] } })
  const explain = async (from: SignedIn) =>
    (await bob.call('GET', `/v1/routes/explain?from=${encodeURIComponent(from.wallet)}`)).body.routes[0]
  expect(await explain(alice)).toMatchObject({
    ...{ source: 'override', ...fallback, isExact: true },
    steps: [
      { network: 'waku', use: 'first', place: 'named', standing: null },
      { network: 'trtc', use: 'standby', place: 'named' },
    ],
  })
  expect(await explain(carol)).toMatchObject({
    ...{ source: 'own', ...mirror },
    steps: [
      { network: 'trtc', use: 'copy', place: 'named' },
      { network: 'waku', use: 'copy', place: 'not-named' },
    ],
  })
  const twice = [alice, alice].map(({ wallet }) => ({ peer: wallet, ...fallback }))
  expect((await setRoute(bob, { ...mirror, overrides: twice })).body.code).toBe('route-invalid')
})

it('a sender’s rule for a recipient holds where that has no route of its own', async () => {
  const { alice, bob } = await setUp({ trtc: {} })
  const rule = { policy: 'fallback', order: ['waku'], fallbackAfterMs: 60_000 }
  await setRoute(alice, { ...rule, overrides: [{ peer: bob.wallet, ...rule }] })
  const id = await send(alice, bob)
  await until(async () => (await stepsOf(alice, id))[0].state === 'acknowledged', 'the first network has it')
  const { routes } = (await bob.call('GET', `/v1/routes/explain?envelope=${id}`)).body
  expect(routes[0]).toMatchObject({
    wallet: bob.wallet,
    source: 'sender',
    policy: 'fallback',
    isExact: false,
  })
  await setRoute(bob, { ...rule, policy: 'mirror' })
  const next = await send(alice, bob)
  expect(await stepsOf(alice, next)).toMatchObject([{ use: 'copy' }, { use: 'copy' }])
})

it('a ranked route tells by which measurements it went, to sender and recipient alone', async () => {
  const { alice, bob, carol } = await setUp({ trtc: { send: failure('permanent', 'no') } })
  await setRoute(bob, { policy: 'fallback', order: 'ranked', fallbackAfterMs: 60_000 })
  for (let sent = 0; sent < 3; sent++) {
    const id = await send(alice, bob)
    await until(
      async () => (await stepsOf(alice, id)).some(({ state }: { state: string }) => state === 'acknowledged'),
      'one network has it',
    )
  }
  const id = await send(alice, bob)
  const of = (reader: SignedIn) => reader.call('GET', `/v1/routes/explain?envelope=${id}`)
  const seen = (await of(alice)).body.routes
  expect(seen).toMatchObject([
    {
      ...{ wallet: bob.wallet, source: null, policy: 'fallback', order: 'ranked', isExact: true },
      steps: [
        { network: 'waku', use: 'first', place: 'ranked', standing: { quiet: false, stability: 1 } },
        { network: 'trtc', use: 'standby' },
      ],
    },
  ])
  expect((await of(bob)).body.routes).toEqual([{ ...seen[0], source: 'own', steps: expect.anything() }])
  expect((await of(carol)).body.code).toBe('envelope-not-found')
})

it('a network that is not connected is put last', async () => {
  const trtc = scripted({})
  const { signIn } = await bench.gateway({ networks: { trtc: trtc.definition } })
  const alice = await signIn()
  await setRoute(alice, { policy: 'fallback', order: 'ranked', fallbackAfterMs: 1_000 })
  const own = async () => (await alice.call('GET', '/v1/routes/explain')).body.routes[0].steps
  expect(await own()).toMatchObject([{ network: 'trtc', place: 'quiet' }, { network: 'waku' }])
  trtc.context().state({ state: 'transientDisconnect', reason: 'cut off' })
  expect(await own()).toMatchObject([{ network: 'waku' }, { network: 'trtc', place: 'not-connected' }])
})
