/** A stand-in of nwaku's REST interface over an embedded node, as far as the REST driver uses it. For tests. */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseExact, stringifyExact } from '../rest/json.ts'
import { createMessage, type NetworkMessage, readMessage } from '../wire/message.ts'
import { PUBSUB_TOPIC, startTestNode, type TestNode } from './node.ts'

const CACHE = 50

export interface NwakuRest {
  url: string
  node: TestNode
  /** Requests so far, `METHOD path`, without queries. */
  calls: string[]
  queries: URLSearchParams[]
  /** Answers the next publish with this status, or cuts the connection after taking it when 0. */
  failNextPublish(status: number): void
  /** Leaves the shard and forgets the cache, as a restart does. */
  forget(): void
  stop(): Promise<void>
}

export async function startNwakuRest(): Promise<NwakuRest> {
  let cache: NetworkMessage[] = []
  let subscribed = false
  let failure: number | null = null
  const node = await startTestNode({
    onMessage: (message) => {
      cache = [...cache, message].slice(-CACHE)
    },
  })
  const calls: string[] = []
  const queries: URLSearchParams[] = []

  async function answer(request: IncomingMessage): Promise<{ status: number; body?: unknown } | null> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1')
    const path = decodeURIComponent(url.pathname)
    calls.push(`${request.method} ${path}`)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body =
      chunks.length > 0 ? parseExact(Buffer.concat(chunks).toString(), new Set(['timestamp'])) : null
    if (path === '/relay/v1/subscriptions') {
      subscribed = true
      return { status: 200 }
    }
    if (path === '/store/v3/messages') {
      queries.push(url.searchParams)
      return { status: 200, body: store(node, url.searchParams) }
    }
    const isRelay = path === `/relay/v1/messages/${PUBSUB_TOPIC}`
    if (isRelay && request.method === 'GET') {
      if (!subscribed) return { status: 404, body: 'not subscribed' }
      const drained = cache
      cache = []
      return { status: 200, body: drained.map(toRest) }
    }
    if (isRelay && !subscribed) return { status: 400, body: 'Node not subscribed to topic' }
    const message = fromRest(isRelay ? body : (body as { message: unknown }).message)
    const failing = failure
    failure = null
    if (failing !== null && failing > 0) return { status: failing, body: 'as told' }
    await node.node.publish(message)
    return failing === 0 ? null : { status: 200, body: { relayPeerCount: 1 } }
  }

  const server = createServer((request, response) => {
    void answer(request).then((result) => {
      if (!result) response.destroy()
      else response.writeHead(result.status).end(stringifyExact(result.body ?? null))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    node,
    calls,
    queries,
    failNextPublish(status) {
      failure = status
    },
    forget() {
      subscribed = false
      cache = []
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await node.stop()
    },
  }
}

function store(node: TestNode, query: URLSearchParams) {
  const hashes = query.get('hashes')
  const cursor = query.get('cursor')
  const fromHex = (text: string) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'))
  const page = hashes
    ? { messages: [node.archive.get(fromHex(hashes))].filter((message) => message !== null), next: null }
    : node.archive.page({
        contentTopics: (query.get('contentTopics') ?? '').split(','),
        from: BigInt(query.get('startTime') ?? 0),
        to: BigInt(query.get('endTime') ?? 0),
        forward: query.get('ascending') === 'true',
        limit: Number(query.get('pageSize') ?? 20),
        maxBytes: 1e9,
        ...(cursor ? { cursor: fromHex(cursor) } : {}),
      })
  return {
    requestId: '1',
    statusCode: 200,
    statusDesc: 'OK',
    messages: page.messages.map((message) => ({
      messageHash: `0x${message.id}`,
      ...(query.get('includeData') === 'true'
        ? { message: toRest(message), pubsubTopic: message.pubsubTopic }
        : {}),
    })),
    ...(page.next ? { paginationCursor: `0x${Buffer.from(page.next).toString('hex')}` } : {}),
  }
}

function toRest({ payload, contentTopic, timestamp, ephemeral }: NetworkMessage) {
  return { payload: Buffer.from(payload).toString('base64'), contentTopic, version: 0, timestamp, ephemeral }
}

function fromRest(body: unknown): NetworkMessage {
  const { payload, contentTopic, timestamp, ephemeral } = body as {
    payload: string
    contentTopic: string
    timestamp: bigint
    ephemeral: boolean
  }
  const made = createMessage({
    pubsubTopic: PUBSUB_TOPIC,
    contentTopic,
    payload: Buffer.from(payload, 'base64'),
    timestamp,
    ephemeral,
  })
  return readMessage(PUBSUB_TOPIC, made.wire) as NetworkMessage
}
