/** One envelope over HTTP, Waku and TRTC at the same time is one envelope. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  type Participant,
  settledJourney,
} from '../../src/cli/demo.ts'
import type { SealedMessage } from '../../src/client/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const ENVELOPES = 200
const interruption = new AbortController()
let gateway: TestGateway
let alice: Participant
let bob: Participant

beforeAll(async () => {
  gateway = await startTestGateway({
    networks: { waku: 'sandbox', trtc: 'sandbox' },
    limits: { walletPerSecond: 10_000, walletBurst: 10_000, addressPerSecond: 10_000, addressBurst: 10_000 },
  })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'))
  alice = await createParticipant('Alice', gateway.url, interruption.signal)
  bob = await createParticipant('Bob', gateway.url, interruption.signal)
  for (const network of ['waku', 'trtc']) await joinNetwork(alice, network, gateway)
  await joinNetwork(bob, 'trtc', gateway)
}, 120_000)

afterAll(async () => {
  interruption.abort(new Error('the test is over'))
  await alice?.close()
  await bob?.close()
  await gateway?.stop()
}, 60_000)

/** Mulberry32: the same order in every run. */
function shuffled<Item>(items: Item[], seed: number): Item[] {
  let state = seed
  const fraction = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return items
    .map((item) => ({ item, place: fraction() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item)
}

it(`takes ${ENVELOPES} envelopes, each three ways in random order, once each`, async () => {
  const onWaku = await addressOn('waku', bob.client)
  const onTrtc = await addressOn('trtc', bob.client)
  const sealed: SealedMessage[] = []
  for (let n = 0; n < ENVELOPES; n++) {
    sealed.push(await alice.client.seal({ to: bob.client.account, text: `message ${n}` }))
  }
  const ways: ((message: SealedMessage) => Promise<unknown>)[] = [
    (message) => alice.client.submit(message),
    (message) => alice.networks.get('waku')!.send(onWaku, message.frame),
    (message) => alice.networks.get('trtc')!.send(onTrtc, message.frame),
  ]
  const sends = shuffled(
    sealed.flatMap((message) => ways.map((way) => () => way(message))),
    2026,
  )
  const workers = Array.from({ length: 12 }, async () => {
    for (let send = sends.pop(); send; send = sends.pop()) await send()
  })
  await Promise.all(workers)

  await waitFor(() => new Set(bob.messages.map(({ id }) => id)).size === ENVELOPES, {
    what: 'Bob to have opened all of them',
    timeoutMs: 120_000,
  })
  const ids = new Set(sealed.map(({ id }) => id))
  const kept: string[] = []
  let after: string | undefined
  for (;;) {
    const page = await bob.client.inbox({ limit: 100, ...(after === undefined ? {} : { after }) })
    kept.push(...page.map(({ id }) => id))
    after = page.at(-1)?.cursor
    if (page.length === 0) break
  }
  expect(kept.length).toBe(ENVELOPES)
  expect(new Set(kept)).toEqual(ids)
  expect(bob.messages.length).toBe(ENVELOPES)
  for (const { id } of sealed) {
    const { checkpoints, deliveries } = await settledJourney(alice.client, id)
    expect(deliveries.map(({ network }) => network).sort()).toEqual(['trtc', 'waku'])
    expect(deliveries.every(({ state }) => state === 'acknowledged')).toBe(true)
    for (const network of ['trtc', 'waku']) {
      const dispatched = checkpoints.filter(
        (checkpoint) => checkpoint.name === 'dispatched' && checkpoint.network === network,
      )
      expect(dispatched.length, `${id} relayed over ${network}`).toBeLessThanOrEqual(1)
    }
  }
}, 300_000)
