import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseExact, stringifyExact } from './json.ts'

it('nanoseconds survive JSON exactly, beyond the integers of a double', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (timestamp) => {
      const text = stringifyExact({ timestamp, nested: [{ timestamp }] })
      expect(text).toContain(`:${timestamp}`)
      expect(parseExact(text, new Set(['timestamp']))).toEqual({ timestamp, nested: [{ timestamp }] })
    }),
  )
})

it('other numbers stay numbers, and a fraction is not an integer', () => {
  expect(parseExact('{"version":0,"timestamp":1.5}', new Set(['timestamp']))).toEqual({
    version: 0,
    timestamp: 1.5,
  })
})
