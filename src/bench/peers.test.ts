import { expect, test } from 'vitest'
import { LegValues } from './bench.ts'
import { startChild } from './child.ts'
import { peerNamed } from './peers/index.ts'
import { type Figures, measure } from './peers/measure.ts'
import { buildLink, type Link } from './peers/peer.ts'
import { absence } from './peers/server.ts'
import { losses } from './peers.ts'

/** A system in memory that delivers each publication `copies` times, and forgets every message whose number `loses` accepts. */
function memoryLink(copies: (isRepeat: boolean) => number, loses = (_number: number) => false): Link {
  const seen = new Set<number>()
  const link: Link = {
    prepare: () => undefined,
    async publish(number) {
      const isRepeat = seen.has(number)
      seen.add(number)
      if (loses(number)) return
      await Promise.resolve()
      for (let copy = 0; copy < copies(isRepeat); copy++) link.onDelivery(number)
    },
    onDelivery: () => undefined,
    serverCpu: async () => 0,
    stop: async () => undefined,
  }
  return link
}

test('one message in ten is repeated, and repeats that come out are counted', async () => {
  const load = { kind: 'saturated', inFlight: 8, count: 200 } as const
  const drops = await measure(
    memoryLink((isRepeat) => (isRepeat ? 0 : 1)),
    load,
    0,
  )
  expect(drops).toMatchObject({ 'repeats delivered %': 0, lost: 0 })
  const passes = await measure(
    memoryLink(() => 1),
    load,
    0,
  )
  expect(passes).toMatchObject({ 'repeats delivered %': 100, lost: 0 })
})

test('a fixed rate sends every message at its time; what never comes is counted as lost', async () => {
  const load = { kind: 'paced', perSecond: 400, count: 100 } as const
  const figures = await measure(
    memoryLink(
      () => 1,
      (number) => number === 1_007,
    ),
    load,
    1_000,
    { patienceMs: 200 },
  )
  expect(figures.lost).toBe(1)
  expect(figures['acknowledged/s']).toBeLessThanOrEqual(420)
})

test('parts of a link that does not come about are undone, latest first', async () => {
  const undone: string[] = []
  const building = buildLink(async (later) => {
    later(async () => undone.push('folder'))
    later(async () => undone.push('server'))
    throw new Error('does not answer')
  })
  await expect(building).rejects.toThrow('does not answer')
  expect(undone).toEqual(['server', 'folder'])
})

test('a system that is not installed is named with its package; Causeway needs nothing', () => {
  const needs = { programs: ['no-such-broker'], debian: 'no-such-broker', modules: [] }
  const reason = absence({ ...peerNamed('nats'), title: 'Broker', needs })
  expect(reason).toBe(
    'Broker: skipped, no-such-broker is not installed (Debian: apt-get install no-such-broker)',
  )
  expect(
    absence({ ...peerNamed('nats'), title: 'Broker', needs: { ...needs, programs: [process.execPath] } }),
  ).toBeNull()
  expect(absence(peerNamed('causeway'))).toBeNull()
})

test('what another system does better is said', () => {
  const leg = (name: string, values: Record<string, number>) => {
    const made = new LegValues(name, name)
    made.add(values)
    return [name, made] as const
  }
  const lines = losses(
    new Map([
      leg('causeway-saturated', { 'p50 ms': 4, 'p99 ms': 5, 'acknowledged/s': 500, 'server CPU µs': 90 }),
      leg('nats-saturated', { 'p50 ms': 2, 'p99 ms': 6, 'acknowledged/s': 1_000, 'server CPU µs': 90 }),
    ]),
  )
  expect(lines).toEqual([
    'Where Causeway loses to NATS JetStream, file storage (not synced): p50 ms at 64 in flight (2.0×), acknowledged/s at 64 in flight (2.0×).',
  ])
})

test.each(['causeway', 'causeway-sse'])(
  '%s: every message comes out once',
  async (name) => {
    const child = await startChild('peer', { execArgv: ['--expose-gc'] })
    try {
      await child.ask('open', name)
      const figures = await child.ask<Figures>('measure', { kind: 'saturated', inFlight: 8, count: 60 })
      expect(figures).toMatchObject({ lost: 0, 'repeats delivered %': 0 })
    } finally {
      await child.stop()
    }
  },
  120_000,
)
