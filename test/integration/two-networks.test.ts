/** The main job on the real SDKs: @waku/sdk and @tencentcloud/chat clients on the outer ends, the gateway between them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  type Participant,
  settledJourney,
} from '../../src/cli/demo.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { arrival, copies, opening } from '../support/participants.ts'

const interruption = new AbortController()
let gateway: TestGateway
let alice: Participant
let bob: Participant

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { waku: 'sandbox', trtc: 'sandbox' } })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'both networks to connect',
  })
  alice = await createParticipant('Alice', gateway.url, interruption.signal)
  bob = await createParticipant('Bob', gateway.url, interruption.signal)
  for (const participant of [alice, bob]) {
    for (const network of ['waku', 'trtc']) await joinNetwork(participant, network, gateway)
  }
}, 120_000)

afterAll(async () => {
  interruption.abort(new Error('the tests are over'))
  await alice?.close()
  await bob?.close()
  await gateway?.stop()
}, 60_000)

describe('with the default route, mirror', () => {
  it('carries an envelope from a Waku light node to a TRTC client', async () => {
    const sealed = await alice.client.seal({ to: bob.client.account, text: 'from Waku' })
    await alice.networks.get('waku')!.send(await addressOn('waku', bob.client), sealed.frame)
    await arrival(bob, sealed.id, 'trtc')
    expect(await opening(bob, sealed.id)).toBe('from Waku')
    expect(await copies(bob, sealed.id)).toBe(1)
  })

  it('carries an envelope from a TRTC client to a Waku light node', async () => {
    const sealed = await bob.client.seal({ to: alice.client.account, text: 'from TRTC' })
    await bob.networks.get('trtc')!.send(await addressOn('trtc', alice.client), sealed.frame)
    await arrival(alice, sealed.id, 'waku')
    expect(await opening(alice, sealed.id)).toBe('from TRTC')
    expect(await copies(alice, sealed.id)).toBe(1)
  })

  it('carries an envelope from HTTP to both', async () => {
    const sent = await alice.client.send({ to: bob.client.account, text: 'from HTTP' })
    await Promise.all([arrival(bob, sent.id, 'waku'), arrival(bob, sent.id, 'trtc')])
    expect(await opening(bob, sent.id)).toBe('from HTTP')
    const journey = await settledJourney(alice.client, sent.id)
    expect(journey.deliveries.map(({ network, state }) => `${network} ${state}`).sort()).toEqual([
      'trtc acknowledged',
      'waku acknowledged',
    ])
  })

  it('does not send a frame back over the network that brought it to the same address', async () => {
    const sealed = await alice.client.seal({ to: bob.client.account, text: 'once on Waku' })
    await alice.networks.get('waku')!.send(await addressOn('waku', bob.client), sealed.frame)
    await arrival(bob, sealed.id, 'trtc')
    const { checkpoints } = await settledJourney(alice.client, sealed.id)
    expect(checkpoints.filter(({ name, network }) => name === 'dispatched' && network === 'waku')).toEqual([])
  })
})
