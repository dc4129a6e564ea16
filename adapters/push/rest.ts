/** The service's REST interface: one call at a time, with a limit on time and size that the SDK does not have. */
import type { z } from 'zod'
import { AnswerTooLong, type Clock, readLimitedText } from '../../src/adapter/index.ts'
import { PushError } from './errors.ts'

/** Thirty messages of the largest frames are under this. */
const LONGEST_ANSWER_BYTES = 32 * 1_048_576
/** Codes of `fetch` with which no connection came about. */
const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

export interface HttpCall {
  method: string
  /** Below the base URL, with its query, e.g. `/v2/users/?caip10=…`. */
  path: string
  /** Plain data, sent as JSON. */
  body?: unknown
}

export interface HttpAnswer {
  status: number
  /** Parsed JSON; null where the answer has no body. */
  body: unknown
}

export interface RestClient {
  /**
   * Makes the call; whatever the status, it is an answer. Rejects with `PushError` `unreachable`, `answer-lost`,
   * `timed-out`, `malformed-answer` or `aborted`. A GET without an answer is made once more; others never are.
   */
  call(call: HttpCall, signal: AbortSignal): Promise<HttpAnswer>
  /** A GET with an answer of this form. Rejects with `refused` for an HTTP status of 400 and above. */
  get<Schema extends z.ZodType>(path: string, schema: Schema, signal: AbortSignal): Promise<z.output<Schema>>
  /** The service's clock less ours, in milliseconds, to the second; null before the first answer. */
  clockOffsetMs(): number | null
}

export interface TextRestClient extends RestClient {
  /** A GET with the answer's text as it came. Rejects as `get` does, but for its form. */
  text(path: string, signal: AbortSignal): Promise<string>
}

interface TextAnswer {
  status: number
  text: string
}

export interface RestOptions {
  /** Without trailing slash. */
  baseUrl: string
  timeoutMs: number
  clock: Clock
  /** Told of each call: null when there was an answer. */
  observe(error: PushError | null): void
}

export function createRestClient({ baseUrl, timeoutMs, clock, observe }: RestOptions): TextRestClient {
  let clockOffset: number | null = null

  async function attempt({ method, path, body }: HttpCall, signal: AbortSignal): Promise<TextAnswer> {
    if (signal.aborted) throw new PushError('aborted', 'The call was given up before it was made')
    const timeout = new AbortController()
    const answered = new AbortController()
    clock.sleep(timeoutMs, answered.signal).then(
      () => timeout.abort(),
      () => undefined, // answered in time
    )
    try {
      const response = await fetch(baseUrl + path, {
        method,
        redirect: 'manual',
        signal: AbortSignal.any([signal, timeout.signal]),
        ...(body === undefined || body === null
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const date = Date.parse(response.headers.get('date') ?? '')
      if (!Number.isNaN(date)) clockOffset = date - clock.now()
      return { status: response.status, text: await readLimitedText(response, LONGEST_ANSWER_BYTES) }
    } catch (error) {
      if (error instanceof PushError) throw error
      if (signal.aborted) throw new PushError('aborted', 'The call was given up')
      if (timeout.signal.aborted) {
        throw new PushError('timed-out', `The Push service did not answer in ${timeoutMs} ms`)
      }
      throw failure(error)
    } finally {
      answered.abort()
    }
  }

  async function observed<Answer extends { status: number }>(
    call: HttpCall,
    read: (answer: TextAnswer) => Answer,
    signal: AbortSignal,
  ): Promise<Answer> {
    try {
      const answer = read(await attempt(call, signal))
      observe(answer.status >= 500 ? refusal(answer) : null)
      return answer
    } catch (error) {
      if (error instanceof PushError && error.code !== 'aborted') observe(error)
      throw error
    }
  }

  async function answerOf<Answer extends { status: number }>(
    wanted: HttpCall,
    read: (answer: TextAnswer) => Answer,
    signal: AbortSignal,
  ): Promise<Answer> {
    try {
      return await observed(wanted, read, signal)
    } catch (error) {
      const again =
        wanted.method === 'GET' &&
        error instanceof PushError &&
        (error.code === 'timed-out' || error.code === 'answer-lost')
      if (!again) throw error
      return observed(wanted, read, signal)
    }
  }

  const call = (wanted: HttpCall, signal: AbortSignal): Promise<HttpAnswer> =>
    answerOf(wanted, ({ status, text }) => ({ status, body: parse(text) }), signal)

  return {
    call,
    async get(path, schema, signal) {
      const answer = await call({ method: 'GET', path }, signal)
      if (answer.status >= 400) throw refusal(answer)
      const parsed = schema.safeParse(answer.body)
      if (parsed.success) return parsed.data
      throw new PushError('malformed-answer', 'The Push service answered in a form that is not known')
    },
    async text(path, signal) {
      const answer = await answerOf({ method: 'GET', path }, (answered) => answered, signal)
      if (answer.status >= 400) throw refusal(answer)
      return answer.text
    },
    clockOffsetMs: () => clockOffset,
  }
}

/** The error of an answer with a status of failure. The service's own text may quote accounts, so it is not told. */
export function refusal({ status }: Pick<HttpAnswer, 'status'>): PushError {
  return new PushError('refused', `The Push service answered with HTTP status ${status}`, { status })
}

function parse(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    throw new PushError('malformed-answer', 'The Push service answered with something that is not JSON')
  }
}

function failure(error: unknown): PushError {
  if (error instanceof AnswerTooLong) return new PushError('malformed-answer', error.message)
  const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined
  const code = typeof cause?.code === 'string' ? cause.code : 'unknown'
  return notConnected.has(code)
    ? new PushError('unreachable', `The Push service cannot be reached (${code})`)
    : new PushError('answer-lost', `The connection to the Push service ended before an answer (${code})`)
}
