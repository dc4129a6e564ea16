/** One connection to the node, over which a set of topics is followed. */
import type { Clock } from '../../../src/adapter/index.ts'
import { connectNode } from '../wire/client.ts'
import type { GetNewestGroupMessageResponse } from '../wire/index.ts'
import { MAX_PAGE_SIZE, SORT_ASCENDING, SORT_DESCENDING } from '../wire/index.ts'
import type { TopicName } from './registration.ts'
import { heardMessage, heardWelcome, type Topic } from './topic.ts'

/** How long one call may take, milliseconds. */
const CALL_MS = 15_000
/** Topics that are caught up at once. */
const AT_ONCE = 8
/** Every so many sweeps look at welcomes too. */
const WELCOME_SWEEP = 10
/** Between two looks whether there is room again. */
const DRAINING_MS = 20
/** How far streams may be behind queries. */
const STREAM_LAG_MS = 2_000
/** Messages that may wait in the topics of a session before its streams are read no further. */
const HIGH_WATER = 2_000
/** Messages of one topic that may wait before its next page is asked for. */
const PAGE_WATER = 200

export interface Session {
  /** Every topic is followed without a gap from here on. Rejects when that could not be had. */
  readonly live: Promise<void>
  /** Rejects when the connection is lost; never resolves. */
  readonly lost: Promise<never>
  /** Whether it follows the topic from where it now has to be followed. */
  covers(topic: Topic): boolean
  /**
   * Looks whether the streams have passed anything over, and fetches it. Rejects when that was so, or the node cannot be
   * asked: another session is needed.
   */
  sweep(): Promise<void>
  end(): void
}

/** Connects. `topics` may not change afterwards: begin another session, and end this one when that one is live. */
export function openSession(options: { apiUrl: string; topics: readonly Topic[]; clock: Clock }): Session {
  const { apiUrl, topics, clock } = options
  const node = connectNode(apiUrl)
  const ending = new AbortController()
  const groups = topics.filter(({ name }) => name.kind === 'group')
  const welcomes = topics.filter(({ name }) => name.kind === 'welcome')
  const byId = new Map(topics.map((topic) => [keyOf(topic.name), topic]))
  const generations = new Map(topics.map((topic) => [topic, topic.generation]))
  const generationOf = (topic: Topic) => generations.get(topic) ?? -1
  let sweeps = 0
  let lose: (error: unknown) => void = () => {}
  const lost = new Promise<never>((_resolve, reject) => {
    lose = reject
  })

  /** The signal of one call. */
  const limited = () => AbortSignal.any([ending.signal, AbortSignal.timeout(CALL_MS)])

  async function newestOf(asked: readonly Topic[]): Promise<Map<Topic, bigint>> {
    const newest = new Map<Topic, bigint>()
    const askedGroups = asked.filter(({ name }) => name.kind === 'group')
    if (askedGroups.length > 0) {
      const groupIds = askedGroups.map(({ name }) => name.id)
      const request = { groupIds, includeContent: false }
      const { responses } = await node.call<GetNewestGroupMessageResponse>(
        'GetNewestGroupMessage',
        request,
        limited(),
      )
      askedGroups.forEach((topic, index) => {
        newest.set(topic, BigInt(responses[index]?.groupMessage?.v1?.id ?? 0))
      })
    }
    await eachOf(
      asked.filter(({ name }) => name.kind === 'welcome'),
      async (topic) => {
        const [last] = await readWelcomes(topic, 0n, SORT_DESCENDING, 1)
        newest.set(topic, last?.id ?? 0n)
      },
    )
    return newest
  }

  async function readWelcomes(topic: Topic, after: bigint, direction: number, limit: number) {
    const pagingInfo = { direction, limit, idCursor: String(after) }
    const request = { installationKey: topic.name.id, pagingInfo }
    const { messages } = await node.queryWelcomeMessages(request, limited())
    return messages.flatMap((message) => heardWelcome(message, 'history') ?? [])
  }

  async function readPage(topic: Topic, after: bigint) {
    if (topic.name.kind === 'welcome') return readWelcomes(topic, after, SORT_ASCENDING, MAX_PAGE_SIZE)
    const pagingInfo = { direction: SORT_ASCENDING, limit: MAX_PAGE_SIZE, idCursor: String(after) }
    const messages = await node.readGroupMessages({ groupId: topic.name.id, pagingInfo }, limited())
    return messages.map(({ bytes, message }) => heardMessage(bytes, message, 'history'))
  }

  /** Reads what lies between `from` and `newest`, page by page. What comes after it waits meanwhile. */
  async function catchUp(topic: Topic, from: bigint, newest: bigint): Promise<void> {
    let after = from
    topic.completeThrough(after, generationOf(topic))
    while (after < newest) {
      const page = await readPage(topic, after)
      for (const heard of page) topic.put(heard)
      const last = page.at(-1)
      if (!last) break
      after = last.id
      topic.completeThrough(after, generationOf(topic))
      // The gateway may be slower than the node.
      if (topic.backlog > PAGE_WATER) await topic.idle()
    }
    topic.completeThrough(null, generationOf(topic))
  }

  function follow(): Promise<void>[] {
    const filter = ({ position }: Topic) => String(position ?? 0n)
    const streams: Promise<void>[] = []
    if (groups.length > 0) {
      const filters = groups.map((topic) => ({ groupId: topic.name.id, idCursor: filter(topic) }))
      streams.push(
        pump(
          (onOpen) => node.subscribeGroupMessages(filters, ending.signal, onOpen),
          ({ bytes, message }) => {
            byId
              .get(keyOf({ kind: 'group', id: message.groupId }))
              ?.put(heardMessage(bytes, message, 'stream'))
          },
        ),
      )
    }
    if (welcomes.length > 0) {
      const filters = welcomes.map((topic) => ({ installationKey: topic.name.id, idCursor: filter(topic) }))
      streams.push(
        pump(
          (onOpen) => node.subscribeWelcomeMessages(filters, ending.signal, onOpen),
          ({ message }) => {
            const heard = heardWelcome(message, 'stream')
            const key = (message.v1 ?? message.welcomePointer)?.installationKey
            if (heard && key) byId.get(keyOf({ kind: 'welcome', id: key }))?.put(heard)
          },
        ),
      )
    }
    return streams
  }

  /** Reads a stream to its end, which loses the session. Resolves when the node has answered. */
  function pump<Item>(
    open: (onOpen: () => void) => AsyncIterable<Item>,
    take: (item: Item) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const read = async () => {
        for await (const item of open(resolve)) {
          take(item)
          while (backlog() > HIGH_WATER) await clock.sleep(DRAINING_MS, ending.signal)
        }
        throw new Error('the node ended the subscription')
      }
      read().catch((error: unknown) => {
        reject(error)
        lose(error)
      })
    })
  }

  const backlog = () => topics.reduce((sum, topic) => sum + topic.backlog, 0)

  async function connect(): Promise<void> {
    const unplaced = topics.filter(({ position }) => position === null)
    for (const [topic, newest] of await newestOf(unplaced)) topic.anchor(newest)
    await withLimit(Promise.all(follow()))
    // The others go on over the session before this one.
    const held = topics.filter(({ isHeld }) => isHeld)
    // From their places, not from what is here already: a stream may have begun in the midst of what is missing.
    await eachOf([...(await newestOf(held))], ([topic, id]) => catchUp(topic, topic.position ?? id, id))
  }

  /** Topics of which the node has more than came over the streams. */
  async function passedOver(asked: readonly Topic[]): Promise<[Topic, bigint][]> {
    return [...(await newestOf(asked))].filter(([topic, id]) => id > topic.newest)
  }

  async function sweep(): Promise<void> {
    // Groups cost one call together, installations one each.
    const suspected = await passedOver(++sweeps % WELCOME_SWEEP === 0 ? topics : groups)
    if (suspected.length === 0) return
    await clock.sleep(STREAM_LAG_MS, ending.signal)
    const missing = await passedOver(suspected.map(([topic]) => topic))
    if (missing.length === 0) return
    await eachOf(missing, ([topic, id]) => catchUp(topic, topic.newest, id))
    throw new Error('the streams of the node passed messages over')
  }

  async function withLimit(work: Promise<unknown>): Promise<void> {
    const done = new AbortController()
    const late = clock.sleep(CALL_MS, done.signal).then(
      () => Promise.reject(new Error(`the node opened no stream in ${CALL_MS} ms`)),
      () => undefined,
    )
    try {
      await Promise.race([work, late.then(() => work)])
    } finally {
      done.abort()
    }
  }

  const live = connect()
  live.catch((error: unknown) => lose(error))
  // Whoever waits for neither is told by the other.
  lost.catch(() => undefined)

  return {
    live,
    lost,
    covers: (topic) => generations.get(topic) === topic.generation,
    sweep,
    end() {
      ending.abort(new Error('the session ended'))
      node.close()
    },
  }
}

function keyOf({ kind, id }: Pick<TopicName, 'kind' | 'id'>): string {
  return `${kind} ${Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('hex')}`
}

/** A few at a time; the first rejection ends it. */
async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker))
}
