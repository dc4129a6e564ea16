import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { bytesPerEnvelope } from './growth.ts'
import { acceptRecord } from './records.ts'

/** An index run takes 8,192 envelopes: the window holds one whole run. */
const WINDOW = { wallets: 2_000, from: 8_192, to: 16_384 }
/** Bytes that the store may hand to writes for an envelope of 1.6 KB with two inbox rows. */
const BOUND = 11_000

test('the bytes written for an envelope stay below their bound, and are the same in every run', async () => {
  const first = await bytesPerEnvelope(WINDOW)
  // Only Linux counts them.
  expect(Number.isNaN(first)).toBe(!existsSync('/proc/self/io'))
  if (Number.isNaN(first)) return
  const second = await bytesPerEnvelope(WINDOW)
  expect(first).toBeGreaterThan(2 * acceptRecord({ number: 0, wallets: 2 }).bytes.length)
  expect(first).toBeLessThan(BOUND)
  expect(Math.abs(first - second) / first).toBeLessThan(0.01)
}, 300_000)

test('a repeatable record is the same each time, and another for another number', () => {
  const make = (number: number) => acceptRecord({ number, wallets: 10, repeatable: true })
  expect(make(7)).toEqual(make(7))
  expect(make(7).id).not.toEqual(make(8).id)
})
