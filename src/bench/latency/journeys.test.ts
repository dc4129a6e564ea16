import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { InboxOptions } from '../../client/index.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import { acceptRecord } from '../records.ts'
import { renderHtml } from './html.ts'
import { type JourneyPoint, type JourneyRecord, rowsOfJourneys } from './journeys.ts'
import { journeysOfStore, journeysOfWallet } from './journeys-source.ts'
import { journeyReport, runReportCommand } from './report-command.ts'

const START = 1_800_000_000_000

function point(name: string, after: number, more: Partial<JourneyPoint> = {}): JourneyPoint {
  return {
    name,
    status: 'success',
    at: START + Math.round(after),
    monotonic: 5_000 + after,
    network: 'trtc',
    wallet: 'bob',
    ...more,
  }
}

/** Came over Waku, went to TRTC `added` ms later, was taken `added + 10` and told of `added + 40` ms after acceptance. */
function journey(added: number, more: JourneyPoint[] = [], state = 'acknowledged'): JourneyRecord {
  return {
    checkpoints: [
      point('accepted', 0, { network: 'waku', wallet: null }),
      point('persisted', 0.5, { network: 'waku', wallet: null }),
      point('dispatched', added),
      ...(state === 'acknowledged' ? [point('remoteAcknowledged', added + 10)] : []),
      ...more,
    ],
    deliveries: [{ network: 'trtc', wallet: 'bob', state }],
  }
}

const told = (after: number) => [point('delivered', after, { at: START + after - 3_000 })]

describe('figures of journeys', () => {
  const journeys = [1, 2, 3, 4, 5].map((added) => journey(added, told(added + 40)))

  test('what the gateway added, the answer of the network, and the word of the recipient', () => {
    const [acknowledged, delivered] = rowsOfJourneys(journeys)
    expect(acknowledged).toMatchObject({ id: 'journey:waku>trtc:acknowledged', samples: 5, failed: 0 })
    expect(acknowledged?.legs?.gateway[0]?.value).toBe(3)
    expect(acknowledged?.legs?.out[0]?.value).toBe(10)
    expect(acknowledged?.latency[0]?.value).toBe(13)
    // The recipient's clock is three seconds slow, and has no part in it.
    expect(delivered).toMatchObject({ id: 'journey:waku>trtc:delivered', samples: 5 })
    expect(delivered?.latency[0]?.value).toBe(43)
  })

  test('what was given up counts as later than all others, and what is still open does not count', () => {
    const rows = rowsOfJourneys([...journeys, journey(2, [], 'dead'), journey(2, [], 'pending')])
    expect(rows[0]).toMatchObject({ samples: 6, failed: 1 })
    expect(rows[0]?.latency[2]?.value).toBeNull()
  })

  test('retries and restarts are not the gateway’s own time', () => {
    const retried = journey(2, [point('dispatched', 9_000), point('remoteAcknowledged', 9_010)])
    expect(rowsOfJourneys([retried])[0]?.legs?.gateway[0]?.value).toBe(2)
    expect(rowsOfJourneys([retried])[0]?.latency[0]?.value).toBe(9_010)
    // Started anew: the monotonic clock began again, while ten minutes passed on the wall.
    const restarted = journey(2, [point('delivered', 0, { at: START + 600_000, monotonic: 5_900 })])
    expect(rowsOfJourneys([restarted]).map(({ id }) => id)).toEqual(['journey:waku>trtc:acknowledged'])
  })

  test('a restart of a few seconds is one, though a client’s clock may be that far off', () => {
    // Three seconds passed on the wall, 900 ms on the monotonic clock, which began again.
    const answered = point('remoteAcknowledged', 0, { at: START + 3_000, monotonic: 5_900 })
    const [accepted, persisted, dispatched] = journey(2).checkpoints
    const restarted: JourneyRecord = {
      ...journey(2),
      checkpoints: [
        accepted!,
        persisted!,
        dispatched!,
        answered,
        point('delivered', 950, { at: START + 30_000 }),
      ],
    }
    expect(rowsOfJourneys([restarted]).map(({ id, samples }) => [id, samples])).toEqual([
      ['journey:waku>trtc:delivered', 1],
    ])
    // Its wall clock was set by one second meanwhile: the same run.
    const corrected = journey(2, [point('remoteAcknowledged', 40, { at: START + 1_040 })])
    expect(rowsOfJourneys([corrected])[0]?.latency[0]?.value).toBe(40)
  })

  test('who reads over HTTP has a row too, though no network carried it', () => {
    const read = journey(1, [point('delivered', 7, { network: 'http', wallet: 'bob' })])
    const row = rowsOfJourneys([read]).find(({ to }) => to === 'http')
    expect(row).toMatchObject({ title: 'Waku → HTTP, delivered', samples: 1, legs: null })
    expect(row?.latency[0]?.value).toBe(7)
  })

  test('the page shows them, and claims nothing that a gateway cannot know', () => {
    const page = renderHtml(journeyReport(journeys, 'npm run bench -- report'))
    expect(page).toContain('JOURNEYS')
    expect(page).toContain('since acceptance')
    expect(page).not.toMatch(/NaN|Infinity|undefined|than native/)
  })
})

describe('the sources', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-journeys-test-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('a data folder, while its gateway has the database open', async () => {
    const store = createSqliteStore({ path: join(folder, 'causeway.db') })
    await store.open()
    try {
      for (let number = 0; number < 3; number++) {
        const record = acceptRecord({ number, wallets: 10, repeatable: true })
        const wallet = record.inbox[0]!.wallet
        const result = await store.accept({
          ...record,
          via: 'waku',
          receivedAt: Date.now(),
          monotonic: performance.now(),
          deliveries: [
            {
              wallet,
              network: 'trtc',
              address: 'somewhere',
              transactionId: String(number).padStart(32, '0'),
              rank: 0,
              state: 'pending',
              notBefore: null,
            },
          ],
        })
        if (result.outcome !== 'accepted') throw new Error(result.outcome)
        const move = (
          from: 'pending' | 'dispatching',
          to: 'dispatching' | 'acknowledged',
          name: 'dispatched' | 'remoteAcknowledged',
        ) =>
          store.moveDelivery({
            id: result.deliveries[0]!.id,
            from: [from],
            to,
            nextAt: null,
            reason: null,
            at: Date.now(),
            checkpoint: {
              name,
              status: 'success',
              at: Date.now(),
              monotonic: performance.now(),
              detail: null,
            },
          })
        await move('pending', 'dispatching', 'dispatched')
        await move('dispatching', 'acknowledged', 'remoteAcknowledged')
      }
      const journeys = await journeysOfStore(folder, 100)
      expect(journeys).toHaveLength(3)
      expect(rowsOfJourneys(journeys)).toMatchObject([{ id: 'journey:waku>trtc:acknowledged', samples: 3 }])
      expect(await journeysOfStore(folder, 2)).toHaveLength(2)

      const out = join(folder, 'report')
      expect(
        await runReportCommand(['--from-journeys', '--data', folder, '--out', out, '--json'], 'bench'),
      ).toBe(0)
      expect(await readFile(join(out, 'report.html'), 'utf8')).toContain('Waku → TRTC, acknowledged')
    } finally {
      await store.close()
    }
  })

  test('a wallet’s inbox, the newest first, page by page', async () => {
    const asked: InboxOptions[] = []
    /** Messages 0 to 249; a page holds at most 180, whatever the limit. */
    const client = {
      inbox: async (options: InboxOptions = {}) => {
        asked.push(options)
        const end = Number(options.before ?? 250)
        const count = Math.min(options.limit ?? 50, 180, end)
        return Array.from({ length: count }, (_, place) => ({
          id: String(end - 1 - place),
          cursor: String(end - 1 - place),
          message: null,
          parcel: null,
          error: null,
        }))
      },
      journey: async (id: string) => ({ ...journey(1), id }) as never,
    }
    const ids = (journeys: JourneyRecord[]) => journeys.map((one) => Number((one as { id?: string }).id))
    expect(ids(await journeysOfWallet(client, 1_000))).toEqual(
      Array.from({ length: 250 }, (_, place) => 249 - place),
    )
    expect(asked).toEqual([
      { order: 'newest', limit: 200 },
      { order: 'newest', limit: 200, before: '70' },
      { order: 'newest', limit: 200, before: '0' },
    ])
    expect(ids(await journeysOfWallet(client, 3))).toEqual([249, 248, 247])
  })

  test.each([
    [[], '--from-journeys'],
    [['--from-journeys'], '--data or --gateway'],
    [['--from-journeys', '--data', '/nowhere', '--last', '0'], '--last'],
  ])('wrong words are refused: %j', async (words) => {
    expect(await runReportCommand(words, 'bench')).toBe(2)
  })

  test('a folder without a database fails with a sentence', async () => {
    expect(await runReportCommand(['--from-journeys', '--data', join(folder, 'none')], 'bench')).toBe(1)
  })
})
