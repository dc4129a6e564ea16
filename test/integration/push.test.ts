/** Push between other networks, with the real SDKs of all four on the outer ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PushSandbox } from '../../adapters/push/sandbox/index.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  type Participant,
  sendOver,
  settledJourney,
} from '../../src/cli/demo.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { arrival, copies, opening } from '../support/participants.ts'

const others = ['waku', 'trtc', 'xmtp']
const interruption = new AbortController()
let gateway: TestGateway
let sandbox: PushSandbox
let alice: Participant
let bob: Participant

beforeAll(async () => {
  const networks = { push: 'sandbox', waku: 'sandbox', trtc: 'sandbox', xmtp: 'sandbox' }
  gateway = await startTestGateway({ networks })
  sandbox = gateway.sandboxes.get('push') as PushSandbox
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'all networks to connect',
    timeoutMs: 60_000,
  })
  alice = await createParticipant('Alice', gateway.url, interruption.signal)
  bob = await createParticipant('Bob', gateway.url, interruption.signal)
  // Alice lives on Push, Bob on the others.
  await joinNetwork(alice, 'push', gateway)
  for (const network of others) await joinNetwork(bob, network, gateway)
}, 180_000)

afterAll(async () => {
  interruption.abort(new Error('the tests are over'))
  await alice?.close()
  await bob?.close()
  await gateway?.stop()
}, 60_000)

async function sendFrom(
  sender: Participant,
  network: string,
  recipient: Participant,
  text: string,
): Promise<string> {
  const sealed = await sender.client.seal({ to: recipient.client.account, text })
  await sendOver(network, sender, recipient.client, sealed.frame)
  return sealed.id
}

describe('Push and the others', () => {
  it('carries an envelope from a Push user to clients of the others', async () => {
    const id = await sendFrom(alice, 'push', bob, 'from Push')
    await Promise.all(others.map((network) => arrival(bob, id, network)))
    expect(await opening(bob, id)).toBe('from Push')
    expect(await copies(bob, id)).toBe(1)
  })

  it.each(others)('carries an envelope from a %s client to a Push user', async (network) => {
    const id = await sendFrom(bob, network, alice, `from ${network}`)
    await arrival(alice, id, 'push')
    expect(await opening(alice, id)).toBe(`from ${network}`)
    expect(await copies(alice, id)).toBe(1)
  })

  it('refuses a copy for a wallet without Push keys, and delivers the others', async () => {
    const id = await sendFrom(alice, 'push', bob, 'Bob is not on Push')
    await arrival(bob, id, 'trtc')
    const { deliveries } = await settledJourney(alice.client, id)
    expect(deliveries.map(({ network, state }) => `${network} ${state}`).sort()).toEqual([
      'push dead',
      'trtc acknowledged',
      'waku acknowledged',
      'xmtp acknowledged',
    ])
  })
})

describe('when the Push node fails', () => {
  /** Messages that the node has taken, by either way. */
  const taken = () =>
    (sandbox.calls.get('POST /v1/chat/message') ?? 0) + (sandbox.calls.get('POST /v1/chat/request') ?? 0)

  it('does not send again what was taken, though its answer was lost', async () => {
    const before = taken()
    sandbox.faults.answerLost(1)
    const id = await sendFrom(bob, 'trtc', alice, 'the answer is lost')
    await arrival(alice, id, 'push')
    const { deliveries } = await settledJourney(alice.client, id)
    expect(deliveries.find(({ network }) => network === 'push')?.state).toBe('acknowledged')
    expect(taken() - before).toBe(1)
  })

  it('sends once more what hung, and no more than once', async () => {
    const before = taken()
    sandbox.faults.hang(1, { method: 'POST' })
    const id = await sendFrom(bob, 'trtc', alice, 'this hangs')
    await arrival(alice, id, 'push')
    const { deliveries } = await settledJourney(alice.client, id)
    expect(deliveries.find(({ network }) => network === 'push')?.state).toBe('acknowledged')
    expect(taken() - before).toBe(2)
  })

  it('is down for 15 seconds: others go on, and what was missed is caught up', async () => {
    const state = () => gateway.gateway.networks.list().find(({ network }) => network === 'push')?.state
    sandbox.faults.loss(1)
    const missed = await sendFrom(alice, 'push', bob, 'nobody told the gateway')
    await sandbox.faults.outage(true)
    sandbox.faults.loss(0)
    await waitFor(() => state() === 'transientDisconnect', { what: 'the outage to be seen' })
    const since = performance.now()
    const meanwhile = await bob.client.seal({ to: alice.client.account, text: 'sent during the outage' })
    await bob.networks.get('trtc')!.send(await addressOn('trtc', alice.client), meanwhile.frame)
    expect(await opening(alice, meanwhile.id)).toBe('sent during the outage')
    const untouched = await sendFrom(bob, 'waku', alice, 'Waku goes on')
    expect(await opening(alice, untouched)).toBe('Waku goes on')
    await waitFor(() => performance.now() - since > 15_000, { what: '15 seconds', timeoutMs: 30_000 })
    await sandbox.faults.outage(false)
    await waitFor(() => state() === 'connected', { what: 'Push to come back', timeoutMs: 60_000 })
    await arrival(bob, missed, 'trtc')
    await arrival(alice, meanwhile.id, 'push')
    expect(await copies(bob, missed)).toBe(1)
  })
})
