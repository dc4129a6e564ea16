/** Opaque mirroring: a network's own ciphertext, carried over the other networks and opened there by its own SDK. */
import { createRequire } from 'node:module'
import type * as PushRestApi from '@pushprotocol/restapi'
import { connectPushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import type { XmtpNetworkClient } from '../../adapters/xmtp/sandbox/client.ts'
import { joinNetwork, type Participant, settledJourney, until } from '../../src/cli/demo.ts'
import { type Cell, median, NETWORKS, type Network } from './cells.ts'
import { createPlainUser } from './people.ts'
import type { World } from './world.ts'

/** Networks that have ciphertext of their own. */
export const WITH_CIPHERTEXT = ['xmtp', 'push'] as const satisfies readonly Network[]
type Source = (typeof WITH_CIPHERTEXT)[number]

const LIMIT_MS = 60_000

/** A wallet that has a network's ciphertext mirrored, and opens it with the network's own SDK. */
interface Mirrored {
  carol: Participant
  /** Texts that were opened, with the id of the parcel that was first. */
  opened: { id: string; text: string }[]
  problems: string[]
}

/**
 * For each network with ciphertext of its own: what a plain user writes there comes, byte for byte, over every other network
 * to the wallet's clients, and is opened by the SDK of the network it came from. `done` is called with each row of cells.
 */
export async function measureOpaque(
  world: World,
  samples: number,
  done: (cells: Cell[]) => void = () => {},
): Promise<Cell[]> {
  const cells: Cell[] = []
  for (const source of WITH_CIPHERTEXT) {
    const carol = await world.participant('Carol')
    await Promise.all(NETWORKS.map((network) => joinNetwork(carol, network, world.gateway)))
    const writer = await createPlainUser(source, world, carol)
    try {
      await writer.write('the first of the conversation')
      const mirrored: Mirrored = { carol, opened: [], problems: [] }
      await (source === 'xmtp' ? mirrorXmtp(mirrored) : mirrorPush(mirrored, world))
      const row = await measureRow(mirrored, writer.write, source, samples)
      cells.push(...row)
      done(row)
    } finally {
      await writer.close()
    }
  }
  return cells
}

async function mirrorXmtp({ carol, opened, problems }: Mirrored): Promise<void> {
  const { client } = carol.networks.get('xmtp') as XmtpNetworkClient
  const take = ({
    id,
    outcome,
    messageId,
    duplicate,
  }: Awaited<ReturnType<typeof carol.client.xmtp.ingest>>) => {
    if (outcome !== 'message' || duplicate || messageId === null) return
    opened.push({ id, text: String(client.conversations.getMessageById(messageId)?.content) })
  }
  carol.client.xmtp.attach(client, { onIngested: take })
  await until('the conversation at Carol’s client', async () => {
    await client.conversations.syncAll()
    return (await client.conversations.listDms()).length > 0
  })
  await carol.client.xmtp.mirror()
  carol.onParcel = (frame, network) => {
    carol.client.xmtp
      .ingest(frame, { network })
      .then(take, (error: unknown) => problems.push(`${network}: ${(error as Error).message}`))
  }
}

async function mirrorPush({ carol, opened, problems }: Mirrored, world: World): Promise<void> {
  const status = world.gateway.gateway.networks.list().find((one) => one.network === 'push')
  const baseUrl = String(status?.description.url)
  const own = await connectPushUser({ baseUrl, signer: carol.signer })
  const { decryptedPgpPrivateKey: pgpPrivateKey } = (await own.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  await own.close()
  const load = createRequire(import.meta.url)
  // The SDK's own `local`, set to the stand-in.
  const { API_BASE_URL } = load('@pushprotocol/restapi/src/lib/config.js') as {
    API_BASE_URL: Record<string, string>
  }
  API_BASE_URL.local = baseUrl
  const { chat, user } = load('@pushprotocol/restapi') as typeof PushRestApi
  const take = ({
    id,
    outcome,
    message,
    duplicate,
  }: Awaited<ReturnType<typeof carol.client.push.ingest>>) => {
    if (outcome !== 'message' || duplicate) return
    opened.push({ id, text: String((message?.messageObj as { content?: unknown } | undefined)?.content) })
  }
  carol.client.push.attach({ chat, user }, { pgpPrivateKey, env: 'local', onIngested: take })
  await carol.client.push.mirror()
  carol.onParcel = (frame, network) => {
    carol.client.push
      .ingest(frame, { network })
      .then(take, (error: unknown) => problems.push(`${network}: ${(error as Error).message}`))
  }
}

async function measureRow(
  { carol, opened, problems }: Mirrored,
  write: (text: string) => Promise<void>,
  from: Source,
  samples: number,
): Promise<Cell[]> {
  const others = NETWORKS.filter((network) => network !== from)
  const sent: { text: string; startedAt: number }[] = []
  const idsOf = (text: string) => opened.filter((one) => one.text === text).map(({ id }) => id)
  for (let sample = 0; sample <= samples; sample++) {
    const text = `${from} ciphertext ${sample}`
    sent.push({ text, startedAt: performance.now() })
    await write(text)
    try {
      await until(
        'it over every other network',
        () => others.every((network) => carol.arrivals.get(network)?.has(idsOf(text)[0] ?? '')),
        LIMIT_MS,
      )
    } catch (error) {
      problems.push(`${text}: ${(error as Error).message}`)
    }
  }
  // Counted when nothing more is on its way. The first one is left out: networks make their conversations with it.
  const measured = sent.slice(1)
  for (const { text } of measured) for (const id of idsOf(text)) await settledJourney(carol.client, id)
  const inbox = await carol.client.inbox({ limit: 200, order: 'newest' })
  return others.map((to): Cell => {
    const own = [...problems]
    const times: number[] = []
    for (const { text, startedAt } of measured) {
      const ids = idsOf(text)
      const came = carol.arrivals.get(to)?.get(ids[0] ?? '') ?? []
      const kept = inbox.filter(({ id }) => id === ids[0]).length
      if (ids.length !== 1) own.push(`${text}: opened ${ids.length} times`)
      if (kept !== 1) own.push(`${text}: ${kept} times in the inbox`)
      if (came.length !== 1) own.push(`${text}: came ${came.length} times`)
      else times.push((came[0] ?? 0) - startedAt)
    }
    return {
      ...{ mode: 'opaque', from, to, native: false, problems: own },
      ...{ sent: measured.length, arrived: times.length, medianMs: median(times) },
    }
  })
}
