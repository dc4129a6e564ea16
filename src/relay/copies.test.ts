import { afterEach, expect, test } from 'vitest'
import { wrapDigest } from '../envelope/digests.ts'
import { decodeSealed, keyIdentifier, stripWraps } from '../envelope/index.ts'
import { encodeSealed } from '../envelope/seal.ts'
import type { InboxItem } from '../store/port.ts'
import { createPerson, nativeFrame, RelayBench, seal } from './testing/bench.ts'
import { heard, scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** An envelope for two devices of Bob and one of Alice, of which a copy with one wrap is heard first. */
async function setUp() {
  const [alice, bob] = [createPerson(), createPerson()]
  const waku = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition },
    wallets: [alice, bob],
  })
  const keys = [
    await gateway.publishPrekey(bob),
    await gateway.publishPrekey(bob),
    await gateway.publishPrekey(alice),
  ]
  const { id, bytes } = await seal(alice, [bob], { keys })
  const only = (...places: number[]) =>
    stripWraps(
      bytes,
      places.map((place) => keyIdentifier(keys[place]!)),
    )
  const hear = (sealed: Uint8Array, remoteId: string) =>
    waku.context().deliver(heard(nativeFrame(alice, sealed), remoteId))
  const live: { item: InboxItem; completed: boolean }[] = []
  const subscriber = {
    item: (item: InboxItem, completed: boolean) => live.push({ item, completed }) > 0,
    dropped() {},
  }
  for (const { wallet } of [alice, bob]) gateway.live.subscribe(wallet, subscriber)
  expect((await hear(only(0), 'r-1')).outcome).toBe('accepted')
  return { alice, bob, gateway, id, bytes, only, hear, live }
}

test.each(['heard', 'posted'])(
  'the wraps that a first copy lacked come with a complete one that is %s',
  async (way) => {
    const { alice, bob, gateway, id, bytes, hear, live } = await setUp()
    if (way === 'heard') expect((await hear(bytes, 'r-2')).outcome).toBe('duplicate')
    else expect((await gateway.submit(alice, bytes)).duplicate).toBe(true)
    for (const person of [alice, bob]) {
      expect((await gateway.inbox(person)).map((item) => item.bytes)).toEqual([bytes])
    }
    expect((await gateway.store.getEnvelope(id))?.bytes).toEqual(bytes)
    expect(live.map(({ item, completed }) => [item.direction, completed])).toEqual([
      ['received', false],
      ['sent', false],
      ['received', true],
      ['sent', true],
    ])
    expect(live[2]!.item).toEqual((await gateway.inbox(bob))[0])
    await hear(bytes, 'r-3')
    expect(live.length).toBe(4)
  },
)

test('copies that each lack something make a whole', async () => {
  const { bob, gateway, bytes, only, hear } = await setUp()
  await hear(only(2), 'r-2')
  await hear(only(0), 'r-3')
  expect((await gateway.inbox(bob))[0]!.bytes).toEqual(only(0, 2))
  await hear(only(1), 'r-4')
  expect((await gateway.inbox(bob))[0]!.bytes).toEqual(bytes)
})

test('a wrap that the sender did not sign stays out', async () => {
  const { alice, bob, gateway, only, hear } = await setUp()
  const { wraps } = decodeSealed(
    (await seal(alice, [bob], { keys: [await gateway.publishPrekey(bob)] })).bytes,
  )
  const sealed = decodeSealed(only(0))
  const forged = encodeSealed({ ...sealed, wraps, wrapDigests: [wrapDigest(wraps[0]!)] })
  expect((await hear(forged, 'r-2')).outcome).toBe('duplicate')
  expect((await gateway.inbox(bob))[0]!.bytes).toEqual(only(0))
})
