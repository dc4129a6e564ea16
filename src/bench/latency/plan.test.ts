import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Cell, cellsOf, type NetworkFacts, scheduleOf } from './plan.ts'
import { doneIn, openSamples, parseLines, readSamples, type SampleLine } from './samples.ts'

const networks: NetworkFacts[] = [
  { name: 'waku', relaysToItself: false, maxFrameBytes: 150_000 },
  { name: 'trtc', relaysToItself: false, maxFrameBytes: 8_000 },
  { name: 'xmtp', relaysToItself: true, maxFrameBytes: 1_000_000 },
]
const cells = cellsOf({ paths: ['native', 'gateway'], sizes: [256, 16_384] }, networks, (size) => size + 400)

const sample = (cell: Cell, number: number, outcome: SampleLine['outcome'] = 'arrived'): SampleLine => ({
  kind: 'sample',
  session: 1,
  cell: cell.id,
  number,
  warmup: false,
  dueMs: 0,
  called: 0.1,
  answered: 2,
  heard: null,
  sending: null,
  arrived: outcome === 'arrived' ? 3 : null,
  outcome,
  bytes: 700,
})

test('every network natively, every pair through the gateway, and the same network where it hears itself alone', () => {
  const small = cells.filter(({ size }) => size === 256).map(({ id }) => id)
  expect(small).toContain('gateway:xmtp>xmtp:256')
  expect(small).not.toContain('gateway:waku>waku:256')
  expect(small).toHaveLength(3 + 7)
})

test('what a network has no room for is left out', () => {
  const big = cells.filter(({ size }) => size === 16_384)
  expect(big.some(({ from, to }) => from === 'trtc' || to === 'trtc')).toBe(false)
  expect(big).toHaveLength(2 + 3)
})

test('a schedule holds every probe once, in balanced rounds, one in each slot', () => {
  fc.assert(
    fc.property(
      fc.record({
        samples: fc.integer({ min: 1, max: 20 }),
        warmup: fc.integer({ min: 0, max: 5 }),
        rate: fc.integer({ min: 1, max: 500 }),
        seed: fc.integer(),
      }),
      (options) => {
        const probes = scheduleOf(options, cells)
        expect(probes).toHaveLength(cells.length * (options.samples + options.warmup))
        expect(new Set(probes.map(({ cell, number, warmup }) => `${cell.id} ${number} ${warmup}`)).size).toBe(
          probes.length,
        )
        for (const [slot, { dueMs, number, warmup }] of probes.entries()) {
          expect(Math.floor((dueMs * options.rate) / 1000 + 1e-6)).toBeGreaterThanOrEqual(slot)
          expect(dueMs).toBeLessThanOrEqual(((slot + 1) * 1000) / options.rate + 1e-6)
          expect(number + (warmup ? 0 : options.warmup)).toBe(Math.floor(slot / cells.length))
        }
        expect(scheduleOf(options, cells)).toEqual(probes)
      },
    ),
    { numRuns: 40 },
  )
})

test('the order differs between rounds and between seeds', () => {
  const order = (seed: number) =>
    scheduleOf({ samples: 2, warmup: 0, rate: 10, seed }, cells).map(({ cell }) => cell.id)
  expect(order(1)).not.toEqual(order(2))
  expect(order(1).slice(0, cells.length)).not.toEqual(order(1).slice(cells.length))
})

test('resumed, a run warms up again and sends what is missing; a complete one sends nothing', () => {
  const options = { samples: 3, warmup: 1, rate: 10, seed: 1 }
  const [first] = cells as [Cell]
  const lines = [0, 1, 2].map((number) => sample(first, number, number === 2 ? 'cut' : 'arrived'))
  const rest = scheduleOf(options, cells, doneIn(lines)).filter(({ warmup }) => !warmup)
  expect(rest.filter(({ cell }) => cell === first).map(({ number }) => number)).toEqual([2])
  expect(rest).toHaveLength(3 * cells.length - 2)
  expect(scheduleOf(options, cells, () => true)).toEqual([])
})

test('samples are appended whole; a torn last line is left out and cut off', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-samples-'))
  try {
    const path = join(folder, 'samples.ndjson')
    const lines = cells.slice(0, 3).map((cell, number) => sample(cell, number))
    const file = await openSamples(path)
    await Promise.all(lines.slice(0, 2).map((line) => file.write(line)))
    await file.close()
    await appendFile(path, '{"kind":"sam')
    expect(await readSamples(path)).toEqual(lines.slice(0, 2))
    const again = await openSamples(path)
    await again.write(lines[2]!)
    await again.close()
    expect(parseLines(await readFile(path, 'utf8'))).toEqual(lines)
    expect(() => parseLines('{}\nnonsense\n{}\n')).toThrow('line 2')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
