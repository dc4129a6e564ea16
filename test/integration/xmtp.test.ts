/** XMTP beside Waku and TRTC, on the real SDKs: unmodified clients on the outer ends, the gateway between them. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectClient, type XmtpNetworkClient } from '../../adapters/xmtp/sandbox/client.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  listen,
  type Participant,
  settledJourney,
} from '../../src/cli/demo.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { arrival, copies, opening } from '../support/participants.ts'

const interruption = new AbortController()
let gateway: TestGateway
/** Alice is on XMTP, and on nothing else. */
let alice: Participant
let onXmtp: XmtpNetworkClient
/** Bob is on Waku and TRTC, and has never heard of XMTP. */
let bob: Participant
let folder: string

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { waku: 'sandbox', trtc: 'sandbox', xmtp: 'sandbox' } })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'all networks to connect',
    timeoutMs: 60_000,
  })
  folder = await mkdtemp(join(tmpdir(), 'causeway-xmtp-client-'))
  alice = await createParticipant('Alice', gateway.url, interruption.signal)
  bob = await createParticipant('Bob', gateway.url, interruption.signal)
  await joinXmtp()
  for (const network of ['waku', 'trtc']) await joinNetwork(bob, network, gateway)
}, 120_000)

afterAll(async () => {
  interruption.abort(new Error('the tests are over'))
  await onXmtp?.close()
  await alice?.close()
  await bob?.close()
  await gateway?.stop()
  if (folder) await rm(folder, { recursive: true, force: true })
}, 60_000)

/** Starts Alice's client on her database: the first time, and again as the same installation. */
async function joinXmtp(): Promise<void> {
  onXmtp = await connectClient({
    address: await addressOn('xmtp', alice.client),
    description: description(),
    credentials: null,
    signer: alice.signer,
    directory: folder,
  })
  listen(alice, 'xmtp', onXmtp)
}

function description(): Record<string, unknown> {
  const status = gateway.gateway.networks.list().find(({ network }) => network === 'xmtp')
  if (!status) throw new Error('there is no XMTP')
  return status.description
}

/** Alice seals an envelope for Bob and hands its frame to the gateway's inbox over XMTP. */
async function fromXmtp(text: string): Promise<string> {
  const sealed = await alice.client.seal({ to: bob.client.account, text })
  await onXmtp.send(description().gatewayInboxId as string, sealed.frame)
  return sealed.id
}

async function fromBob(network: 'waku' | 'trtc', text: string): Promise<string> {
  const sealed = await bob.client.seal({ to: alice.client.account, text })
  await bob.networks.get(network)!.send(await addressOn(network, alice.client), sealed.frame)
  return sealed.id
}

describe('sealed envelopes between XMTP and the other networks', () => {
  it('go from an XMTP client to a Waku light node and a TRTC client', async () => {
    const id = await fromXmtp('from XMTP')
    await Promise.all([arrival(bob, id, 'waku'), arrival(bob, id, 'trtc')])
    expect(await opening(bob, id)).toBe('from XMTP')
    expect(await copies(bob, id)).toBe(1)
  })

  it('go from a Waku light node to an XMTP client', async () => {
    const id = await fromBob('waku', 'from Waku')
    await arrival(alice, id, 'xmtp')
    expect(await opening(alice, id)).toBe('from Waku')
    expect(await copies(alice, id)).toBe(1)
  })

  it('go from a TRTC client to an XMTP client', async () => {
    const id = await fromBob('trtc', 'from TRTC')
    await arrival(alice, id, 'xmtp')
    expect(await opening(alice, id)).toBe('from TRTC')
    expect(await copies(alice, id)).toBe(1)
  })

  it('reach an XMTP client that was away and is started again from its disk, and so do its answers', async () => {
    const before = await fromXmtp('before the restart')
    await arrival(bob, before, 'trtc')
    const installation = onXmtp.client.installationId
    await onXmtp.close()
    const missed = await fromBob('waku', 'while you were away')
    await waitFor(async () => (await copies(alice, missed)) === 1, { what: 'the gateway to take it' })
    await settledJourney(bob.client, missed)
    await joinXmtp()
    expect(onXmtp.client.installationId).toBe(installation)
    await arrival(alice, missed, 'xmtp')
    expect(await opening(alice, missed)).toBe('while you were away')
    const after = await fromXmtp('after the restart')
    await Promise.all([arrival(bob, after, 'waku'), arrival(bob, after, 'trtc')])
    expect(await opening(bob, after)).toBe('after the restart')
    for (const [who, id] of [
      [alice, missed],
      [bob, before],
      [bob, after],
    ] as const)
      expect(await copies(who, id)).toBe(1)
  })

  it('are marked in the journey: XMTP delivers to Alice, and refuses for good what is for Bob', async () => {
    const id = await fromBob('trtc', 'with a journey')
    await arrival(alice, id, 'xmtp')
    const toAlice = await settledJourney(bob.client, id)
    const delivered = toAlice.deliveries.find(({ network }) => network === 'xmtp')
    expect(delivered?.state).toBe('acknowledged')
    const unread = await fromXmtp('nobody reads this on XMTP')
    await arrival(bob, unread, 'trtc')
    const back = await settledJourney(alice.client, unread)
    const refused = back.deliveries.find(({ network }) => network === 'xmtp')
    expect(refused?.state).toBe('dead')
  })
})
