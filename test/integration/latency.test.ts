/** The whole tool as people run it, over two sandboxes with the real SDKs: interrupted, completed, and its report. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countedSamples, readSamples } from '../../src/bench/latency/samples.ts'
import type { LatencyReport } from '../../src/bench/latency/summary.ts'
import { type RunningCommand, startCommand } from '../support/command-line.ts'

const SAMPLES = 8
const PATHS = ['native:waku:256', 'native:trtc:256', 'gateway:waku>trtc:256', 'gateway:trtc>waku:256']
let place = ''

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'causeway-latency-test-'))
})
afterAll(() => rm(place, { recursive: true, force: true }))

const start = (...words: string[]): RunningCommand =>
  startCommand(['bench', 'latency', ...words], { cwd: place })

const reportIn = async (folder: string) =>
  JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as LatencyReport

test('a run that is interrupted leaves a report, and is completed by another', {
  timeout: 400_000,
}, async () => {
  const folder = join(place, 'report')
  const words = ['--networks', 'waku,trtc', '--samples', String(SAMPLES), '--warmup', '1', '--rate', '4']
  const running = start(...words, '--timeout', '120', '--out', folder, '--json')
  await expect.poll(() => samplesIn(folder), { timeout: 180_000, interval: 100 }).toBeGreaterThanOrEqual(2)
  const cut = await running.interrupt()
  expect([cut.exit, cut.errors.includes(`--resume ${folder}`)], cut.errors).toEqual([130, true])
  const half = await reportIn(folder)
  expect(half.complete).toBe(false)
  expect(half.warnings.join()).toContain('interrupted')
  expect(await readFile(join(folder, 'report.html'), 'utf8')).toContain('samples, interrupted')
  const before = countedSamples(await readSamples(join(folder, 'samples.ndjson')))

  const again = await start('--resume', folder, '--json').finished
  expect(again.exit, again.errors).toBe(0)
  const events = again.lines()
  expect(events.at(-1)).toMatchObject({ event: 'report', folder, complete: true })
  expect(events.some(({ event }) => event === 'progress')).toBe(true)

  const report = await reportIn(folder)
  expect(report.sessions).toHaveLength(2)
  expect(report.rows.map(({ id }) => id)).toEqual(PATHS)
  for (const { id, samples, arrived, duplicates, latency, legs, path } of report.rows) {
    expect({ id, samples, arrived, duplicates }).toEqual({
      id,
      samples: SAMPLES,
      arrived: SAMPLES,
      duplicates: 0,
    })
    expect(latency[0]?.value).toBeGreaterThan(0)
    // The gateway's part was seen on every message that it carried.
    if (path === 'gateway') expect(legs?.gateway[0]?.value).toBeGreaterThan(0)
  }
  const samples = countedSamples(await readSamples(join(folder, 'samples.ndjson')))
  expect(samples).toHaveLength(SAMPLES * PATHS.length)
  // What was measured before the interruption was not measured again.
  for (const { cell, number, session } of before)
    expect(samples).toContainEqual(expect.objectContaining({ cell, number, session }))
  for (const { cell, heard, sending, arrived } of samples) {
    if (!cell.startsWith('gateway')) continue
    expect([heard, sending, arrived].toSorted((one, other) => one! - other!)).toEqual([
      heard,
      sending,
      arrived,
    ])
  }
})

test('wrong words, help, and a folder that holds no run', { timeout: 120_000 }, async () => {
  const [wrong, help, missing] = await Promise.all([
    start('--networks', 'pigeon').finished,
    start('--help').finished,
    start('--resume', join(place, 'nothing')).finished,
  ])
  expect([wrong.exit, wrong.errors]).toEqual([2, expect.stringContaining('"pigeon" is none of')])
  expect([help.exit, help.output]).toEqual([0, expect.stringContaining('Exit codes')])
  expect([missing.exit, missing.errors]).toEqual([1, expect.stringContaining('holds no run')])
})

async function samplesIn(folder: string): Promise<number> {
  const lines = await readSamples(join(folder, 'samples.ndjson')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return countedSamples(lines).length
}
