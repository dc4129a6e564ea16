import type { Connection, Stream } from '@libp2p/interface'
import { proto_store } from '@waku/proto'
import * as lengthPrefixed from 'it-length-prefixed'
import { Uint8ArrayList } from 'uint8arraylist'
import { expect, it } from 'vitest'
import { PUBSUB_TOPIC, quietLog, testMessage } from '../testing/node.ts'
import { storeHashes } from './store-client.ts'
import { serveStream } from './streams.ts'

const peer = { remotePeer: { toString: () => 'peer' } }

/** A stream on which `bytes` come; notes whether it was reset. */
function streamOf(bytes: Uint8Array): { stream: Stream; reset: () => boolean } {
  let isReset = false
  const stream = {
    protocol: 'test',
    source: (async function* () {
      yield new Uint8ArrayList(bytes)
    })(),
    sink: async (source: AsyncIterable<unknown>) => {
      for await (const _chunk of source);
    },
    abort: () => {
      isReset = true
    },
  }
  return { stream: stream as unknown as Stream, reset: () => isReset }
}

it('a stream with requests without end is reset after a hundred', async () => {
  let answered = 0
  const answer = () => {
    answered += 1
    return new Uint8Array(1)
  }
  const { stream, reset } = streamOf(new Uint8Array(64 * 1024))
  await serveStream(stream, peer as unknown as Connection, {
    answer,
    maxRequestBytes: 1024,
    idleMs: 60_000,
    log: quietLog,
  })
  expect(answered).toBe(100)
  expect(reset()).toBe(true)
})

it('a Store peer that repeats its cursors ends the walk with an error instead of keeping it for ever', async () => {
  const { hash } = testMessage()
  let asked = 0
  const newStream = async () => {
    const answer = proto_store.StoreQueryResponse.encode({
      requestId: 'r',
      statusCode: 200,
      messages: [{ messageHash: hash }],
      paginationCursor: Uint8Array.of(asked++ % 3),
    })
    return streamOf(lengthPrefixed.encode.single(answer).subarray()).stream
  }
  const walk = async () => {
    const query = { pubsubTopic: PUBSUB_TOPIC, contentTopics: ['/causeway/1/in-0/cbor'], from: 0n, to: 1n }
    const connection = { ...peer, newStream } as unknown as Connection
    for await (const _page of storeHashes(connection, query, new AbortController().signal));
  }
  await expect(walk()).rejects.toMatchObject({ code: 'malformed-answer' })
  expect(asked).toBe(4)
})
