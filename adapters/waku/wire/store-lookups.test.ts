import type { Connection } from '@libp2p/interface'
import { proto_store } from '@waku/proto'
import * as lengthPrefixed from 'it-length-prefixed'
import { expect, it } from 'vitest'
import { type Clock, systemClock } from '../../../src/adapter/index.ts'
import { StoreLookups } from './store-lookups.ts'

const [A, B] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

/** A peer that answers queries with a status, and with those of its messages that were asked for; it counts the queries. */
function peerOf(statusOf: (query: number) => number, held: Uint8Array[]) {
  const asked: number[] = []
  const newStream = async () => {
    let bytes = new Uint8Array()
    const sent = Promise.withResolvers<void>()
    return {
      protocol: 'test',
      sink: async (source: AsyncIterable<{ subarray(): Uint8Array }>) => {
        for await (const chunk of source) bytes = Buffer.concat([bytes, chunk.subarray()])
        sent.resolve()
      },
      source: (async function* () {
        await sent.promise
        const [request] = [...lengthPrefixed.decode([bytes])]
        const { requestId, messageHashes } = proto_store.StoreQueryRequest.decode(request!)
        asked.push(messageHashes.length)
        const messages = held.filter((hash) => messageHashes.some((one) => Buffer.compare(one, hash) === 0))
        yield* lengthPrefixed.encode([
          proto_store.StoreQueryResponse.encode({
            requestId,
            statusCode: statusOf(asked.length),
            messages: messages.map((messageHash) => ({ messageHash })),
          }),
        ])
      })(),
      close: async () => {},
      closeWrite: async () => {},
      abort: () => {},
    }
  }
  const connection = { remotePeer: { toString: () => 'peer' }, newStream } as unknown as Connection
  return { connection, asked }
}

function lookUpIn(...peers: { connection: Connection }[]) {
  const waits: number[] = []
  let now = 0
  const clock: Clock = {
    ...systemClock,
    monotonic: () => now,
    async sleep(milliseconds) {
      waits.push(milliseconds)
      now += milliseconds
    },
  }
  const never = new AbortController().signal
  const archives = async () => peers.map(({ connection }) => connection)
  const lookups = new StoreLookups({ clock, archives, stopped: never })
  return { waits, has: (hash: Uint8Array) => lookups.has(hash, never) }
}

it('an archive that fails hides nothing that another holds', async () => {
  const [broken, good] = [peerOf(() => 500, []), peerOf(() => 200, [A])]
  const { has } = lookUpIn(broken, good)
  const [a, b] = await Promise.allSettled([has(A), has(B)])
  expect(a).toEqual({ status: 'fulfilled', value: true })
  // Nobody knows whether the broken one has it.
  expect(b).toMatchObject({ status: 'rejected', reason: { status: 500 } })
  expect([broken.asked, good.asked]).toEqual([[2], [2]])
})

it('what an archive was too busy to tell is asked again after a pause, and only what no other holds', async () => {
  const [busy, good] = [peerOf((query) => (query === 1 ? 429 : 200), []), peerOf(() => 200, [A])]
  const { has, waits } = lookUpIn(busy, good)
  expect(await Promise.all([has(A), has(B)])).toEqual([true, false])
  expect([busy.asked, good.asked]).toEqual([
    [2, 1],
    [2, 1],
  ])
  expect(waits).toEqual([expect.closeTo(1_000)])
})

it('without an archive there is no answer', async () => {
  expect(await lookUpIn().has(A)).toBe(null)
})
