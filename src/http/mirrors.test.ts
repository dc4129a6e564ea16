import { randomBytes } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import simulator, { createSimulatedNetwork } from '../../adapters/simulator/index.ts'
import type { AdapterDefinition } from '../adapter/index.ts'
import { createCustody } from '../custody.ts'
import { HttpBench, until } from './testing/bench.ts'

const bench = new HttpBench()
afterEach(() => bench.close())

const vault = createCustody({ key: new Uint8Array(randomBytes(32)), previous: [] })

async function setUp() {
  const { url, signIn, lines, ...gateway } = await bench.gateway({ vault })
  const [bob, carol] = [await signIn(), await signIn()]
  return { url, lines, bob, carol, ...gateway }
}

it('a wallet registers, changes, sees and ends its own mirrors, and nobody else’s', async () => {
  const { bob, carol } = await setUp()
  const made = await bob.call('PUT', '/v1/mirrors/waku', { topics: ['a', 'b'] })
  expect(made).toMatchObject({ status: 200, body: { network: 'waku', topics: 2, following: true } })
  const changed = await bob.call('PUT', '/v1/mirrors/waku', { topics: ['a'] })
  expect(changed.body).toMatchObject({ topics: 1, createdAt: made.body.createdAt })
  expect((await bob.call('GET', '/v1/mirrors')).body.mirrors).toEqual([changed.body])
  expect((await carol.call('GET', '/v1/mirrors')).body.mirrors).toEqual([])
  expect(await carol.call('DELETE', '/v1/mirrors/waku')).toMatchObject({
    status: 404,
    body: { code: 'mirror-unknown' },
  })
  expect((await bob.call('DELETE', '/v1/mirrors/waku')).status).toBe(204)
  expect((await bob.call('GET', '/v1/mirrors')).body.mirrors).toEqual([])
})

it('a parcel is fetched by its wallet alone, whole, and stands in its inbox', async () => {
  const { bob, carol, gateway } = await setUp()
  await bob.call('PUT', '/v1/mirrors/waku', { topics: ['t'] })
  const [mirror] = await gateway.store.mirrorsOf(bob.wallet)
  const bytes = Uint8Array.from(randomBytes(20_000))
  const heard = await gateway.relay.hearOpaque('waku', {
    mirror: mirror!.id,
    remoteId: 't/1',
    kind: 'message',
    bytes,
    conversation: 't',
    remoteTime: null,
    silent: false,
    via: 'stream',
  })
  expect(heard.outcome).toBe('accepted')
  const id = 'id' in heard ? heard.id : ''
  await until(async () => (await bob.call('GET', '/v1/inbox')).body.items.length === 1, 'the item')
  const sealed = Buffer.from(bytes).toString('base64url')
  expect((await bob.call('GET', '/v1/inbox')).body.items[0]).toMatchObject({ id, mode: 'opaque', sealed })
  expect((await bob.call('GET', `/v1/envelopes/${id}`)).body).toMatchObject({ mode: 'opaque', sealed })
  expect((await carol.call('GET', `/v1/envelopes/${id}`)).status).toBe(404)
})

it('what is wrong is told with a code, and never with what was registered', async () => {
  const { bob, url, lines } = await setUp()
  const codeOf = async (path: string, body: unknown) => (await bob.call('PUT', path, body)).body.code
  expect(await codeOf('/v1/mirrors/nowhere', { topics: [] })).toBe('network-unknown')
  expect(await codeOf('/v1/mirrors/waku', { topics: ['a secret topic'] })).toBe('mirror-registration-invalid')
  expect(await codeOf('/v1/mirrors/waku', { topics: [], more: 'secret' })).toBe('mirror-registration-invalid')
  expect(await codeOf('/v1/mirrors/waku', [])).toBe('request-invalid')
  const large = Array.from({ length: 60_000 }, (_, index) => `topic-number-${index}`)
  expect(await codeOf('/v1/mirrors/waku', { topics: large })).toBe('body-too-large')
  expect(lines.join('')).not.toContain('secret')
  const without = await fetch(`${url}/v1/mirrors`)
  expect(without.status).toBe(401)
})

it('GET /v1/networks says which networks mirror', async () => {
  const name = `http-mirrors-${process.pid}`
  const network = createSimulatedNetwork({ name })
  const definition: AdapterDefinition = {
    ...(simulator as unknown as AdapterDefinition),
    create(_config, context) {
      const { opaque: _opaque, ...adapter } = simulator.create(
        simulator.config.parse({ network: name }),
        context,
      )
      return adapter
    },
  }
  const { signIn } = await bench.gateway({ networks: { plain: definition } })
  const { networks } = (await (await signIn()).call('GET', '/v1/networks')).body
  expect(
    networks.map((status: { network: string; mirroring: boolean }) => [status.network, status.mirroring]),
  ).toEqual([
    ['waku', true],
    ['plain', false],
  ])
  const bob = await signIn()
  expect((await bob.call('PUT', '/v1/mirrors/plain', {})).body.code).toBe('mirror-unsupported')
  network.close()
})

it('a network may object to what a wallet registers', async () => {
  const name = `http-objections-${process.pid}`
  const network = createSimulatedNetwork({ name })
  const definition: AdapterDefinition = {
    ...(simulator as unknown as AdapterDefinition),
    create(_config, context) {
      const adapter = simulator.create(simulator.config.parse({ network: name }), context)
      const objection = (wallet: string, registration: unknown) =>
        (registration as { topics: string[] }).topics.includes(wallet) ? null : 'topics: not the own one'
      return { ...adapter, opaque: { ...adapter.opaque!, objection } }
    },
  }
  const { signIn } = await bench.gateway({ networks: { strict: definition }, vault })
  const bob = await signIn()
  expect((await bob.call('PUT', '/v1/mirrors/strict', { topics: ['t'] })).body).toMatchObject({
    code: 'mirror-registration-invalid',
    detail: expect.stringContaining('not the own one'),
  })
  expect((await bob.call('PUT', '/v1/mirrors/strict', { topics: [bob.wallet] })).body).toMatchObject({
    topics: 1,
  })
  network.close()
})
