/** Route `fallback`: while TRTC is down Waku carries; when TRTC is back, nothing comes twice. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  type Participant,
  settledJourney,
} from '../../src/cli/demo.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { arrival } from '../support/participants.ts'

const interruption = new AbortController()
let gateway: TestGateway
let alice: Participant
let bob: Participant

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { waku: 'sandbox', trtc: 'sandbox' } })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'))
  alice = await createParticipant('Alice', gateway.url, interruption.signal)
  bob = await createParticipant('Bob', gateway.url, interruption.signal)
  for (const participant of [alice, bob]) {
    for (const network of ['waku', 'trtc']) await joinNetwork(participant, network, gateway)
  }
  await bob.client.setRoute({ policy: 'fallback', order: ['trtc', 'waku'], fallbackAfterMs: 500 })
  await alice.client.setRoute({ policy: 'fallback', order: ['waku', 'trtc'], fallbackAfterMs: 500 })
}, 120_000)

afterAll(async () => {
  interruption.abort(new Error('the tests are over'))
  await alice?.close()
  await bob?.close()
  await gateway?.stop()
}, 60_000)

function state(network: string): string {
  return gateway.gateway.networks.list().find((status) => status.network === network)?.state ?? 'unknown'
}

it('sends over the first network only, in both directions', async () => {
  const toBob = await alice.client.send({ to: bob.client.account, text: 'over TRTC' })
  await arrival(bob, toBob.id, 'trtc')
  const toAlice = await bob.client.seal({ to: alice.client.account, text: 'TRTC in, Waku out' })
  await bob.networks.get('trtc')!.send(await addressOn('trtc', alice.client), toAlice.frame)
  await arrival(alice, toAlice.id, 'waku')
  const { deliveries } = await settledJourney(alice.client, toBob.id)
  expect(Object.fromEntries(deliveries.map((delivery) => [delivery.network, delivery.state]))).toEqual({
    trtc: 'acknowledged',
    waku: 'superseded',
  })
  expect(bob.arrivals.get('waku')!.has(toBob.id)).toBe(false)
})

it('lets Waku carry while TRTC is down, and sends nothing again when TRTC is back', async () => {
  const trtc = gateway.sandboxes.get('trtc')!
  await trtc.faults.outage(true)
  const sent = await alice.client.send({ to: bob.client.account, text: 'while TRTC was down' })
  await arrival(bob, sent.id, 'waku')
  await trtc.faults.outage(false)
  await waitFor(() => state('trtc') === 'connected', { what: 'TRTC to be back', timeoutMs: 60_000 })

  // A later message over TRTC shows that the way is open; had the first been pending still, it would have come before it.
  const later = await alice.client.send({ to: bob.client.account, text: 'TRTC is back' })
  await waitFor(
    async () =>
      (await alice.client.journey(later.id)).deliveries.some(
        ({ network, state: is }) => network === 'trtc' && is === 'acknowledged',
      ),
    {
      what: 'the later message to go over TRTC',
      timeoutMs: 60_000,
    },
  )
  const journey = await settledJourney(alice.client, sent.id)
  expect(
    Object.fromEntries(journey.deliveries.map((delivery) => [delivery.network, delivery.state])),
  ).toEqual({
    trtc: 'superseded',
    waku: 'acknowledged',
  })
  expect(bob.arrivals.get('trtc')!.has(sent.id)).toBe(false)
  const inbox = await bob.client.inbox({ limit: 200 })
  expect(inbox.filter(({ id }) => id === sent.id).length).toBe(1)
  expect(bob.messages.filter(({ id }) => id === sent.id).length).toBe(1)
}, 180_000)
