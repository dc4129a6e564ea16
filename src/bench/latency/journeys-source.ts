/** Where journeys are read: a gateway's data folder, also while it runs, or its API as one wallet. */
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import type { Client } from '../../client/index.ts'
import { toHex } from '../../envelope/index.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import type { JourneyRecord } from './journeys.ts'

const PAGE = 200
const AT_ONCE = 50

/** Journeys of the newest deliveries, at most `most`. The gateway may run: a copy of its database is read, and removed again. */
export async function journeysOfStore(directory: string, most: number): Promise<JourneyRecord[]> {
  const original = join(directory, 'causeway.db')
  await access(original).catch((cause: unknown) => {
    throw new Error(`${original} cannot be read: name the data folder of a gateway with --data`, { cause })
  })
  const folder = await mkdtemp(join(tmpdir(), 'causeway-journeys-'))
  try {
    const copy = join(folder, 'causeway.db')
    const source = new DatabaseSync(original, { readOnly: true })
    try {
      await backup(source, copy)
    } finally {
      source.close()
    }
    return await journeysIn(copy, most)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function journeysIn(path: string, most: number): Promise<JourneyRecord[]> {
  const store = createSqliteStore({ path })
  await store.open()
  try {
    const deliveries = []
    let beforeId: number | null = null
    while (deliveries.length < most) {
      const limit = Math.min(PAGE, most - deliveries.length)
      const page = await store.listDeliveries({ state: null, network: null, limit, beforeId })
      deliveries.push(...page)
      if (page.length < limit) break
      beforeId = page.at(-1)?.id ?? null
    }
    const byEnvelope = [...Map.groupBy(deliveries, ({ envelopeId }) => toHex(envelopeId)).values()]
    const journeys: JourneyRecord[] = []
    for (let place = 0; place < byEnvelope.length; place += AT_ONCE) {
      const slice = byEnvelope.slice(place, place + AT_ONCE)
      const read = await Promise.all(slice.map((group) => store.journey(group[0]!.envelopeId)))
      journeys.push(...read.map((checkpoints, index) => ({ checkpoints, deliveries: slice[index] ?? [] })))
    }
    return journeys
  } finally {
    await store.close()
  }
}

/** Journeys of the messages in a wallet's inbox, sent and received, the newest `most`. */
export async function journeysOfWallet(
  client: Pick<Client, 'inbox' | 'journey'>,
  most: number,
): Promise<JourneyRecord[]> {
  const journeys: JourneyRecord[] = []
  let before: string | undefined
  while (journeys.length < most) {
    const limit = Math.min(PAGE, most - journeys.length)
    const from = before === undefined ? {} : { before }
    const page = await client.inbox({ order: 'newest', limit, ...from })
    // A page of large messages ends before its limit; an empty one is the end.
    if (page.length === 0) break
    for (const { id } of page) journeys.push(await client.journey(id))
    before = page.at(-1)?.cursor
  }
  return journeys
}
