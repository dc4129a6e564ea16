import { expect, test } from 'vitest'
import { decodeSealed, verifySealed } from '../envelope/index.ts'
import { createSignatureVerifier } from '../relay/index.ts'
import { figure, LegValues, medianTable, ratioOf, ratioTable } from './bench.ts'
import { closedLoop } from './load/closed-loop.ts'
import { createPerson, makeEnvelope } from './people.ts'
import { plotLegs } from './plot.ts'
import { acceptRecord } from './records.ts'
import { growthExponent, median, quantile, shuffled } from './statistics.ts'

function leg(name: string, values: number[]): LegValues {
  const made = new LegValues(name, `leg ${name}`)
  for (const value of values) made.add({ rate: value })
  return made
}

test('medians and quantiles', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(quantile([10, 20, 30, 40, 50], 0.99)).toBeCloseTo(49.6)
  expect(median([])).toBeNaN()
  expect(growthExponent({ size: 100, cost: 5 }, { size: 10_000, cost: 50 })).toBeCloseTo(0.5)
})

test('the order of legs differs from run to run and holds each leg once', () => {
  const names = ['a', 'b', 'c', 'd', 'e']
  expect(shuffled(names, 3)).toEqual(shuffled(names, 3))
  expect(shuffled(names, 3).toSorted()).toEqual(names)
  const orders = new Set(Array.from({ length: 8 }, (_, run) => shuffled(names, run).join()))
  expect(orders.size).toBeGreaterThan(4)
})

test('a ratio is taken run by run, not of the medians', () => {
  const ratio = ratioOf('x', [leg('a', [10, 100]), 'rate'], [leg('b', [1, 50]), 'rate'], '≥ 2')
  expect(ratio?.values).toEqual([10, 2])
  expect(ratioOf('x', [undefined, 'rate'], [leg('b', [1]), 'rate'])).toBeNull()
  expect(ratioTable([ratio!])).toContain('6.00')
})

test('tables and plots show every leg, and escape their titles', () => {
  const legs = [leg('a', [1234.5, 1000]), leg('<b>', [2])]
  expect(medianTable(legs)).toContain('1,117')
  expect(medianTable(legs)).toContain('leg <b>')
  const plot = plotLegs('a & b', legs)
  expect(plot).toContain('a &amp; b')
  expect(plot).toContain('leg &lt;b>')
  expect(plot.match(/<rect x=/g)).toHaveLength(2)
  expect(figure(Number.NaN)).toBe('–')
})

test('a closed loop calls every number once, with no more under way than it may have', async () => {
  const seen: number[] = []
  let underWay = 0
  let most = 0
  const result = await closedLoop({ count: 40, inFlight: 7, warmup: 10 }, async (number) => {
    most = Math.max(most, ++underWay)
    await Promise.resolve()
    underWay--
    seen.push(number)
  })
  expect(seen.toSorted((left, right) => left - right)).toEqual(
    Array.from({ length: 50 }, (_, index) => index),
  )
  expect(most).toBe(7)
  expect(result).toMatchObject({ count: 40, all: 50 })
  await expect(
    closedLoop({ count: 5, inFlight: 2, warmup: 0 }, async () => {
      throw new Error('refused')
    }),
  ).rejects.toThrow('refused')
})

test('envelopes for load decode and carry a real signature; records differ in their ids', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const sealed = decodeSealed(makeEnvelope(alice, bob.wallet))
  expect(sealed.header).toMatchObject({ from: alice.wallet, to: [bob.wallet] })
  expect(await verifySealed(sealed, createSignatureVerifier())).toBe(true)
  expect(acceptRecord({ number: 1, wallets: 4 }).id).not.toEqual(acceptRecord({ number: 1, wallets: 4 }).id)
})
