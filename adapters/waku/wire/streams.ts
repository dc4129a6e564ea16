/** Length-prefixed requests and answers over libp2p streams. */
import type { Connection, Stream } from '@libp2p/interface'
import * as lengthPrefixed from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { AdapterLog } from '../../../src/adapter/index.ts'
import { WakuError } from '../errors.ts'

type Bytes = Uint8Array | Uint8ArrayList

/**
 * Clients send one request on a stream. More are answered, but not without end: a chunk of 64 KiB can hold as many requests
 * of one byte, and answering them all would keep everyone else waiting.
 */
const MAX_REQUESTS_PER_STREAM = 100

export interface ServeOptions {
  /** Answers one request. May throw on malformed bytes: the stream is then reset. */
  answer(request: Uint8ArrayList, connection: Connection): Uint8Array | Promise<Uint8Array>
  /** Largest request in bytes; a longer one resets the stream before it is read. */
  maxRequestBytes: number
  /** A stream on which nothing comes for this long is reset: clients open streams ahead of need and forget them. */
  idleMs: number
  log: AdapterLog
}

/**
 * Serves one inbound stream until the client ends it. The source is always read to its end: js-mplex counts data for a
 * stream that its reader has left as a fault and cuts the connection after a few of them.
 */
export async function serveStream(
  stream: Stream,
  connection: Connection,
  options: ServeOptions,
): Promise<void> {
  const idle = setTimeout(() => stream.abort(new Error('idle stream')), options.idleMs)
  idle.unref()
  try {
    await pipe(
      stream,
      (source) => lengthPrefixed.decode(source, { maxDataLength: options.maxRequestBytes }),
      async function* (requests: AsyncIterable<Uint8ArrayList>) {
        let count = 0
        for await (const request of requests) {
          if (++count > MAX_REQUESTS_PER_STREAM) throw new RangeError('too many requests on one stream')
          idle.refresh()
          yield await options.answer(request, connection)
        }
      },
      (source) => lengthPrefixed.encode(source),
      stream,
    )
  } catch (error) {
    options.log.debug({ protocol: stream.protocol, error: String(error) }, 'stream ended by an error')
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  } finally {
    clearTimeout(idle)
  }
}

export interface RequestOptions {
  signal: AbortSignal
  /** Largest answer in bytes. */
  maxAnswerBytes: number
}

/**
 * Sends one request on a stream of its own and returns the first answer. The rest of the stream is read in the background
 * until the peer closes it. Errors: `no-peer` when no stream opened (nothing was sent), `answer-lost` afterwards.
 */
export async function request(
  connection: Connection,
  protocol: string,
  bytes: Bytes,
  options: RequestOptions,
): Promise<Uint8ArrayList> {
  const { signal } = options
  let stream: Stream
  try {
    signal.throwIfAborted()
    stream = await connection.newStream(protocol, { signal })
  } catch (cause) {
    throw new WakuError(
      'no-peer',
      `A peer did not open a ${protocol} stream; it may not serve this protocol`,
      { cause },
    )
  }
  const abort = () => stream.abort(new Error('request aborted'))
  signal.addEventListener('abort', abort, { once: true })
  return new Promise((resolve, reject) => {
    const lost = (cause?: unknown) =>
      reject(new WakuError('answer-lost', `A peer ended a ${protocol} stream without an answer`, { cause }))
    pipe(
      [bytes],
      (source) => lengthPrefixed.encode(source),
      stream,
      (source) => lengthPrefixed.decode(source, { maxDataLength: options.maxAnswerBytes }),
      async (answers) => {
        for await (const answer of answers) resolve(answer)
      },
    )
      .then(() => lost(), lost)
      .finally(() => signal.removeEventListener('abort', abort))
  })
}
