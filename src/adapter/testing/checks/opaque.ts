import assert from 'node:assert/strict'
import type { Mirror, OpaqueFacet, OpaqueInbound } from '../../opaque.ts'
import { type Bench, type Check, GRACE_MS, neverAborted, type Opened } from '../bench.ts'
import { randomHex, sameBytes } from '../bytes.ts'
import type { MirrorProbe } from '../harness.ts'

/** Alice's mirror, and what is needed to try it. */
interface Mirrored {
  opened: Opened
  facet: OpaqueFacet
  probe: MirrorProbe
  mirror: Mirror
}

/** Null where the adapter has no mirroring, or the harness has no native writers. */
async function follow(bench: Bench): Promise<Mirrored | null> {
  const probe = bench.harness.mirroring
  const opened = await bench.connect()
  const facet = opened.adapter.opaque
  if (!probe || !facet) return null
  const registration = facet.registration.parse(await probe.registration(bench.alice))
  const mirror = { id: randomHex(16), wallet: bench.alice.wallet, registration }
  await bench.settles(facet.follow(mirror, neverAborted()), 'follow')
  return { opened, facet, probe, mirror }
}

const write = (bench: Bench, { probe }: Pick<Mirrored, 'probe'>, count: number) =>
  probe.write(
    { from: bench.bob, to: bench.alice },
    Array.from({ length: count }, () => randomHex(8)),
  )

function taken({ opened, mirror }: Pick<Mirrored, 'opened' | 'mirror'>): OpaqueInbound[] {
  return opened.context.parcels
    .filter((parcel) => parcel.taken && parcel.inbound.mirror === mirror.id)
    .map(({ inbound }) => inbound)
}

/** Each message once, in the order of its first delivery. */
function distinct(inbound: readonly OpaqueInbound[]): OpaqueInbound[] {
  return [...new Map(inbound.toReversed().map((one) => [one.remoteId, one])).values()].toReversed()
}

/** Waits until everything of `expected` was delivered, and asserts its order. */
async function arrival(
  bench: Bench,
  mirrored: Pick<Mirrored, 'opened' | 'mirror'>,
  expected: readonly Uint8Array[],
): Promise<void> {
  const found = () =>
    distinct(taken(mirrored)).filter(({ bytes }) => expected.some((one) => sameBytes(one, bytes)))
  await bench.waitFor(() => found().length >= expected.length, { what: 'the mirrored messages' })
  const order = found().map(({ bytes }) => expected.findIndex((one) => sameBytes(one, bytes)))
  assert.deepEqual(order, [...expected.keys()], 'messages of one conversation are delivered in its order')
}

export const opaqueChecks: Check[] = [
  {
    name: 'a registration survives JSON, counts its topics, and is refused with members that it does not have',
    async run(bench) {
      const mirrored = await follow(bench)
      if (!mirrored) return
      const { facet, mirror, probe } = mirrored
      assert.deepEqual(JSON.parse(JSON.stringify(mirror.registration)), mirror.registration)
      assert.ok(facet.topics(mirror.registration) >= 1)
      const more = { ...((await probe.registration(bench.alice)) as object), unknownMember: 1 }
      assert.equal(facet.registration.safeParse(more).success, false)
      assert.equal(facet.registration.safeParse(null).success, false)
    },
  },
  {
    name: 'what others write after follow is delivered byte for byte, in order, each message under one id',
    async run(bench) {
      const mirrored = await follow(bench)
      if (!mirrored) return
      const written = await write(bench, mirrored, 10)
      await arrival(bench, mirrored, written)
      const heard = taken(mirrored).filter(({ kind }) => kind === 'message')
      for (const { remoteId, conversation, bytes } of heard) {
        assert.ok(remoteId.length > 0 && remoteId.length <= 512 && conversation !== '')
        const twins = heard.filter((other) => sameBytes(other.bytes, bytes))
        assert.ok(twins.every((twin) => twin.remoteId === remoteId))
      }
    },
  },
  {
    name: 'what the gateway turns away is delivered again, and nothing overtakes it',
    async run(bench) {
      const mirrored = await follow(bench)
      if (!mirrored) return
      const { context } = mirrored.opened
      context.rejectDeliveries(true)
      const written = await write(bench, mirrored, 3)
      await bench.waitFor(() => context.parcels.some((parcel) => !parcel.taken), { what: 'a first try' })
      context.rejectDeliveries(false)
      await arrival(bench, mirrored, written)
    },
  },
  {
    name: 'what was written while the adapter was stopped or cut off is delivered afterwards',
    async run(bench) {
      const mirrored = await follow(bench)
      if (!mirrored) return
      const { opened, facet, mirror } = mirrored
      const first = await write(bench, mirrored, 2)
      await arrival(bench, mirrored, first)
      const cutOff: Uint8Array[] = []
      await bench.duringOutage(async () => void cutOff.push(...(await write(bench, mirrored, 2))))
      await arrival(bench, mirrored, cutOff)
      await opened.stop()
      const missed = await write(bench, mirrored, 3)
      const again = bench.open({ storage: opened.context.storage })
      const next = again.adapter.opaque
      assert.ok(next && next !== facet)
      // The gateway has every instance follow before it starts it.
      await bench.settles(next.follow(mirror, neverAborted()), 'follow before start')
      await again.start()
      await arrival(bench, { opened: again, mirror }, missed)
    },
  },
  {
    name: 'a mirror that is replaced loses nothing, and one that has ended hears nothing',
    async run(bench) {
      const mirrored = await follow(bench)
      if (!mirrored) return
      const { facet, mirror } = mirrored
      const writing = write(bench, mirrored, 10)
      await bench.settles(facet.follow({ ...mirror }, neverAborted()), 'follow once more')
      await arrival(bench, mirrored, await writing)
      await bench.settles(facet.unfollow(mirror.id, neverAborted()), 'unfollow')
      await bench.settles(facet.unfollow(randomHex(16), neverAborted()), 'unfollow of an unknown mirror')
      const before = taken(mirrored).length
      await write(bench, mirrored, 2)
      await new Promise((resolve) => setTimeout(resolve, GRACE_MS))
      assert.equal(taken(mirrored).length, before, 'nothing is delivered after unfollow')
    },
  },
]
