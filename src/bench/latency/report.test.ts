import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { linearAxis, logAxis, time } from './charts.ts'
import { renderCsv } from './csv.ts'
import { createFolder, type RunFile, readFolder, reportOf, writeReport } from './folder.ts'
import { renderHtml } from './html.ts'
import { parseLatencyWords } from './options.ts'
import { factsOf } from './paths.ts'
import { cellsOf } from './plan.ts'
import { createReporter } from './progress.ts'
import { seededFractions } from './random.ts'
import type { CopyLine, Line, SampleLine } from './samples.ts'
import { summarise } from './summary.ts'

const SAMPLES = 60
const { options } = parseLatencyWords(['--samples', String(SAMPLES), '--delay', 'xmtp=60'])
const cells = cellsOf(
  options,
  options.networks.map((name) => factsOf(name, 100_000)),
  (size) => size + 400,
)
const run: RunFile = {
  kind: 'causeway-latency-run',
  version: 1,
  command: 'npm run bench -- latency --samples 60',
  options,
  cells,
  networks: options.networks.map((network) => ({ network, sandbox: true })),
}
const machine = {
  node: 'v24',
  system: 'Linux',
  processor: 'any <CPU>',
  cores: 8,
  memoryGiB: 16,
  load: [0.4, 0.3, 0.2],
}
const session: Line = { kind: 'session', session: 1, startedAt: '2026-11-23T10:00:00.000Z', machine }
const lines: Line[] = [session, ...samplesOf()]

/** Every cell with latencies of its own, drawn from an exponential distribution; the first message of a cell is lost. */
function samplesOf(): SampleLine[] {
  const fractions = seededFractions(7)
  return cells.flatMap((cell, place) =>
    Array.from({ length: SAMPLES }, (_, number): SampleLine => {
      const draw = (mean: number) => mean * (0.5 - Math.log1p(-fractions()) / 2)
      const heard = draw(2 + place)
      const sending = heard + draw(1)
      const arrived = sending + draw(3)
      const isLost = number === 0 && cell.path === 'gateway'
      return {
        kind: 'sample',
        session: 1,
        cell: cell.id,
        number,
        warmup: false,
        dueMs: (number * cells.length + place) * 33,
        called: 0.05,
        answered: 3,
        heard: cell.path === 'native' ? null : heard,
        sending: cell.path === 'native' ? null : sending,
        arrived: isLost ? null : cell.path === 'native' ? heard : arrived,
        outcome: isLost ? 'lost' : 'arrived',
        bytes: 656,
      }
    }),
  )
}

const copy = (cell: string, number: number): CopyLine => ({
  kind: 'copy',
  session: 1,
  cell,
  number,
  warmup: false,
  arrived: 31_000,
})

describe('figures', () => {
  const report = reportOf(run, lines)
  const row = (id: string) => report.rows.find((other) => other.id === id)!

  test('every path has its row, and what the gateway adds is measured, not subtracted', () => {
    expect(report.rows.map(({ id }) => id)).toEqual(cells.map(({ id }) => id))
    expect(report.complete).toBe(true)
    expect(row('native:waku:256')).toMatchObject({ samples: SAMPLES, lost: 0, legs: null, overNative: null })
    const through = row('gateway:waku>trtc:256')
    expect(through.legs?.gateway[0]?.value).toBeGreaterThan(0.4)
    expect(through.legs?.gateway[0]?.value).toBeLessThan(2)
    expect(through.overNative?.[0]?.interval?.low).toBeLessThan(through.overNative?.[0]?.value ?? 0)
    expect(through.measured).toMatch(/Light Push.*REST API/)
  })

  test('a lost message is later than all others, and stays in the percentiles', () => {
    const { latency, lost, lossShare } = row('gateway:xmtp>push:256')
    expect(lost).toBe(1)
    expect(lossShare.high).toBeLessThan(0.1)
    expect(latency[2]?.value).toBeNull()
    expect(latency[0]?.value).toBeGreaterThan(0)
  })

  test('too few samples say so', () => {
    expect(row('native:trtc:256').latency[2]).toMatchObject({ high: null })
    expect(report.warnings.join()).toMatch(/too few samples/)
  })

  test('a rate that is too high says so', () => {
    const stalling = lines.map((line) =>
      line.kind === 'sample' && line.cell === 'native:trtc:256'
        ? { ...line, arrived: 5 + line.number * 100 }
        : line,
    )
    expect(reportOf(run, stalling).warnings.join()).toMatch(/Lower --rate. Grew: TRTC, native\./)
    expect(report.warnings.join()).not.toMatch(/Grew/)
  })

  test('what an SDK refused to send is told with its words', () => {
    const refusing = lines.map(
      (line): Line =>
        line.kind === 'sample' && line.cell === 'native:push:256' && line.number < 3
          ? { ...line, outcome: 'failed', arrived: null, error: 'socket hang up' }
          : line,
    )
    const refused = reportOf(run, refusing)
    expect(refused.rows.find(({ id }) => id === 'native:push:256')).toMatchObject({ failed: 3, lost: 0 })
    expect(refused.warnings).toContain('Push, native: refused 3 times with “socket hang up”.')
  })

  test('copies are duplicates, but for the first one of what was lost by then', () => {
    const id = 'gateway:xmtp>push:256'
    const copies = [copy(id, 0), copy(id, 0), copy(id, 5)]
    const [found] = summarise(
      cells.filter((cell) => cell.id === id),
      [...lines, ...copies],
      1,
    )
    expect(found).toMatchObject({ late: 1, duplicates: 2 })
  })

  test('warm-up and cut probes are not counted, and a probe sent again counts once', () => {
    const [sample] = samplesOf() as [SampleLine]
    const more: Line[] = [
      { ...sample, number: 900, warmup: true },
      { ...sample, number: 901, outcome: 'cut', arrived: null },
      { ...sample, session: 2 },
    ]
    const [found] = summarise(cells.slice(0, 1), [...lines, ...more], 1)
    expect(found?.samples).toBe(SAMPLES)
  })
})

describe('the report', () => {
  const report = reportOf(run, lines)
  const page = renderHtml(report)

  test('loads nothing and shows everything', () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|src=|href=/)
    for (const { title, measured } of report.rows) {
      expect(page).toContain(title.replaceAll('>', '&gt;'))
      expect(page).toContain(measured)
    }
    expect(page).toContain('SANDBOX')
    expect(page).toContain('any &lt;CPU&gt;')
    expect(page).toContain('60 ms set before each call')
    // Four networks and the gateway's own time; the legs; one over time for each path.
    expect(page.match(/<svg /g)).toHaveLength(5 + 1 + cells.length)
    expect(page).not.toMatch(/NaN|Infinity|undefined|null ms/)
  })

  test('its table has a line for each path, with as many cells as its head', () => {
    const table = renderCsv(report).trimEnd().split('\r\n')
    expect(table).toHaveLength(1 + cells.length)
    const width = table[0]!.split(',').length
    for (const line of table) expect(line.replaceAll(/"[^"]*"/g, '').split(',')).toHaveLength(width)
  })

  test('is written with its samples, and a folder holds one run', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'causeway-report-'))
    try {
      await createFolder(folder, run)
      await writeReport(folder, report)
      const read = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as typeof report
      expect(read.rows).toHaveLength(cells.length)
      expect((await readFolder(folder)).run).toEqual(run)
      await expect(createFolder(folder, run)).rejects.toThrow('--resume')
      await expect(readFolder(join(folder, 'other'))).rejects.toThrow('holds no run')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test('of nothing measured yet is a report too', () => {
    const empty = reportOf(run, [])
    expect(empty.complete).toBe(false)
    expect(renderHtml(empty)).not.toMatch(/NaN|Infinity|undefined/)
  })
})

test('axes hold all values, and times have three figures', () => {
  const { scale, ticks } = logAxis([0.8, 730], 0, 100)
  expect(scale(0.5)).toBe(0)
  expect(scale(1000)).toBeCloseTo(100)
  expect(ticks).toEqual([1, 10, 100, 1000])
  expect(logAxis([3, 4], 0, 1).ticks).toEqual([2, 5])
  expect(linearAxis(9.1, 0, 100).ticks).toEqual([0, 5, 10])
  expect([0.1234, 12.34, 123.4, 1234, 61_000].map(time)).toEqual([
    '0.12 ms',
    '12.3 ms',
    '123 ms',
    '1.23 s',
    '61.0 s',
  ])
})

describe('words', () => {
  test('sensible defaults, lists and delays', () => {
    expect(parseLatencyWords([]).options).toMatchObject({ samples: 200, sizes: [256], config: null })
    expect(parseLatencyWords(['--networks', 'waku,trtc', '--delay', '40']).options.delays).toEqual({
      waku: 40,
      trtc: 40,
    })
    expect(parseLatencyWords(['--delay', 'xmtp=60']).options.delays).toMatchObject({ xmtp: 60, push: 0 })
  })

  test.each([
    [['--networks', 'smoke'], 'smoke'],
    [['--networks', 'simulator'], 'simulator'],
    [['--sizes', '300'], '300'],
    [['--samples', '0'], 'samples'],
    [['--rate', '-1'], 'rate'],
    [['--paths', 'both'], 'both'],
    [['--delay', 'mars=3'], 'mars'],
    [['--delay', '3', '--config', 'x.yaml'], 'sandboxes only'],
    [['--resume', 'x', '--seed', '3'], '--seed'],
    [['--colour'], 'colour'],
  ])('wrong ones are refused by name: %j', (words, named) => {
    expect(() => parseLatencyWords(words)).toThrow(named)
  })
})

describe('progress', () => {
  const state = {
    ended: 5,
    of: 10,
    underWay: 2,
    arrived: 5,
    lost: 0,
    failed: 0,
    copies: 0,
    secondsLeft: 3,
    cell: cells[0]!.id,
  }
  const told = (json: boolean, isTTY: boolean) => {
    const written = { out: '', error: '' }
    const reporter = createReporter({
      json,
      cells: () => cells,
      out: { write: (text: string) => (written.out += text) },
      error: { write: (text: string) => (written.error += text), isTTY, columns: 200 },
      now: () => 0,
    })
    reporter.progress(state)
    reporter.progress(state)
    reporter.progress({ ...state, ended: 10 })
    reporter.progress({ ...state, ended: 10 })
    reporter.end()
    return written
  }

  test('one line that is written over at a terminal, few lines in a log, JSON lines for programs', () => {
    expect(told(false, true).error).toMatch(/^\r.*50 %.*5\/10.*Waku, native\r.*100 %.*\n$/s)
    expect(told(false, false).error.match(/\n/g)).toHaveLength(2)
    const { out, error } = told(true, true)
    expect(error).toBe('')
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; ended: number })
    expect(events.map(({ event, ended }) => [event, ended])).toEqual([
      ['progress', 5],
      ['progress', 10],
    ])
  })
})
