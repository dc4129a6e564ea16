/** Client of nwaku's REST interface: Relay, Light Push and Store. */
import { z } from 'zod'
import { AnswerTooLong, readLimitedText } from '../../../src/adapter/index.ts'
import { WakuError } from '../errors.ts'
import { describeMessage, type NetworkMessage } from '../wire/message.ts'
import { follow, queryWindows, type TimeRange } from '../wire/store-client.ts'
import { parseExact, stringifyExact } from './json.ts'

export interface RestClientOptions {
  url: string
  pubsubTopic: string
  storePeer: string | undefined
  timeoutMs: number
}

const NANOSECOND_KEYS = new Set(['timestamp'])
const PAGE_SIZE = 50
/** A page of 50 messages of 150 KB in base64, and room to spare. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

/** Failures before anything was sent, by the codes of Node's sockets. */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

const restMessage = z.object({
  payload: z.string(),
  contentTopic: z.string(),
  version: z.number().optional(),
  timestamp: z.bigint().optional(),
  ephemeral: z.boolean().optional(),
  meta: z.string().optional(),
})

const storeAnswer = z.object({
  statusCode: z.number().optional(),
  statusDesc: z.string().optional(),
  messages: z.array(
    z.object({
      messageHash: z.string(),
      message: restMessage.optional(),
      pubsubTopic: z.string().optional(),
    }),
  ),
  paginationCursor: z.string().optional(),
})

type StoreAnswer = z.output<typeof storeAnswer>

export class RestClient {
  readonly #options: RestClientOptions

  constructor(options: RestClientOptions) {
    this.#options = options
  }

  /** Makes the node join the shard. Idempotent. */
  async subscribe(signal: AbortSignal): Promise<void> {
    await this.#call('POST', '/relay/v1/subscriptions', signal, [this.#options.pubsubTopic])
  }

  /** Takes the messages that the node has cached since the last call. Rejects with `refused` 404 when it is not subscribed. */
  async drain(signal: AbortSignal): Promise<NetworkMessage[]> {
    const text = await this.#call(
      'GET',
      `/relay/v1/messages/${encodeURIComponent(this.#options.pubsubTopic)}`,
      signal,
    )
    return read(z.array(restMessage), text).flatMap(
      (message) => toNetworkMessage(this.#options.pubsubTopic, message) ?? [],
    )
  }

  async publish(how: 'relay' | 'lightpush', message: NetworkMessage, signal: AbortSignal): Promise<void> {
    const { pubsubTopic, contentTopic, timestamp, ephemeral } = message
    const payload = Buffer.from(message.payload).toString('base64')
    const body = { payload, contentTopic, version: 0, timestamp, ephemeral }
    if (how === 'lightpush')
      await this.#call('POST', '/lightpush/v3/message', signal, { pubsubTopic, message: body })
    else await this.#call('POST', `/relay/v1/messages/${encodeURIComponent(pubsubTopic)}`, signal, body)
  }

  /** Messages of a range, oldest first; one page is asked for after the other, in windows of at most 24 hours. */
  async *range(
    contentTopics: string[],
    range: TimeRange,
    signal: AbortSignal,
  ): AsyncGenerator<NetworkMessage> {
    for (const { from, to } of queryWindows(range)) {
      let cursor: string | undefined
      const followed = new Set<string>()
      do {
        const answer = await this.#store(signal, {
          includeData: 'true',
          pubsubTopic: this.#options.pubsubTopic,
          contentTopics: contentTopics.join(','),
          startTime: from.toString(),
          endTime: to.toString(),
          ascending: 'true',
          pageSize: String(PAGE_SIZE),
          ...(cursor ? { cursor } : {}),
        })
        for (const { message, pubsubTopic } of answer.messages) {
          const described = message && toNetworkMessage(pubsubTopic ?? this.#options.pubsubTopic, message)
          if (described) yield described
        }
        cursor = answer.messages.length > 0 ? answer.paginationCursor : undefined
        if (cursor) follow(followed, cursor)
      } while (cursor)
    }
  }

  async has(hash: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const hashes = `0x${Buffer.from(hash).toString('hex')}`
    const answer = await this.#store(signal, { includeData: 'false', hashes })
    return answer.messages.some((entry) => entry.messageHash.toLowerCase() === hashes)
  }

  async #store(signal: AbortSignal, query: Record<string, string>): Promise<StoreAnswer> {
    const { storePeer } = this.#options
    const parameters = new URLSearchParams({ ...query, ...(storePeer ? { peerAddr: storePeer } : {}) })
    const answer = read(storeAnswer, await this.#call('GET', `/store/v3/messages?${parameters}`, signal))
    if (answer.statusCode !== undefined && answer.statusCode !== 200) {
      throw new WakuError(
        'refused',
        `nwaku refused a Store query: ${answer.statusDesc ?? 'no reason given'}`,
        {
          status: answer.statusCode,
        },
      )
    }
    return answer
  }

  async #call(method: 'GET' | 'POST', path: string, signal: AbortSignal, body?: unknown): Promise<string> {
    const url = this.#options.url.replace(/\/$/, '') + path
    let status: number
    let text: string
    try {
      const response = await fetch(url, {
        method,
        // An answer decides nothing about whom the gateway talks to: a redirect is a refusal.
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeoutMs)]),
        ...(body === undefined
          ? {}
          : { body: stringifyExact(body), headers: { 'content-type': 'application/json' } }),
      })
      status = response.status
      text = await readLimitedText(response, MAX_ANSWER_BYTES)
    } catch (cause) {
      if (cause instanceof AnswerTooLong)
        throw new WakuError('malformed-answer', 'nwaku answered with more than any of its answers has', {
          cause,
        })
      const code = (cause as { cause?: { code?: string } }).cause?.code ?? ''
      if (NOT_CONNECTED.has(code))
        throw new WakuError('no-peer', 'nwaku does not answer at its REST address', { cause })
      throw new WakuError('answer-lost', 'nwaku ended a REST call without an answer', { cause })
    }
    if (status >= 200 && status < 300) return text
    const reason = text.slice(0, 200)
    // A relay that was restarted has left the shard: the publish did not happen and works after subscribing again.
    const unsubscribed = status === 400 && /not subscribed/i.test(reason)
    throw new WakuError('refused', `nwaku answered ${status}: ${reason || 'no reason given'}`, {
      status: unsubscribed ? 503 : status,
    })
  }
}

function read<Schema extends z.ZodType>(schema: Schema, text: string): z.output<Schema> {
  try {
    return schema.parse(parseExact(text, NANOSECOND_KEYS))
  } catch (cause) {
    throw new WakuError(
      'malformed-answer',
      'nwaku answered with JSON that does not match its documentation',
      { cause },
    )
  }
}

function toNetworkMessage(pubsubTopic: string, message: z.output<typeof restMessage>): NetworkMessage | null {
  return describeMessage(pubsubTopic, {
    payload: Buffer.from(message.payload, 'base64'),
    contentTopic: message.contentTopic,
    version: message.version ?? 0,
    timestamp: message.timestamp ?? 0n,
    ephemeral: message.ephemeral ?? false,
    ...(message.meta ? { meta: Buffer.from(message.meta, 'base64') } : {}),
  })
}
