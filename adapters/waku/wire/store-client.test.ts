import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MAX_QUERY_RANGE_NS } from './codecs.ts'
import { batches, queryWindows } from './store-client.ts'

const HOUR_NS = 3_600_000_000_000n

it('a range over 24 hours is asked for in full, in windows that nodes accept, without gap or overlap', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 60n }),
      fc.bigInt({ min: 0n, max: 500n * HOUR_NS }),
      (from, length) => {
        const windows = [...queryWindows({ from, to: from + length })]
        expect(windows[0]?.from).toBe(from)
        expect(windows.at(-1)?.to).toBe(from + length)
        for (const [index, window] of windows.entries()) {
          expect(window.to - window.from < MAX_QUERY_RANGE_NS).toBe(true)
          if (index > 0) expect(window.from).toBe((windows[index - 1]?.to ?? 0n) + 1n)
        }
      },
    ),
  )
})

it('a range of 30 hours is two windows, and one that ends before it starts is none', () => {
  expect([...queryWindows({ from: 0n, to: 30n * HOUR_NS })]).toHaveLength(2)
  expect([...queryWindows({ from: 1n, to: 0n })]).toEqual([])
})

it('content topics go out in requests of at most 100', () => {
  const topics = Array.from({ length: 250 }, (_, index) => String(index))
  const requests = [...batches(topics, 100)]
  expect(requests.map((request) => request.length)).toEqual([100, 100, 50])
  expect(requests.flat()).toEqual(topics)
})
