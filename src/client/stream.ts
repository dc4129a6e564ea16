/** The live stream of a wallet: server-sent events over `fetch`, so that the token stays in a header. */
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'

export interface StreamEvent {
  event: string
  data: string
  /** Inbox cursor; pass it as `after` to go on from here. */
  id: string | null
}

/**
 * Yields events until the signal aborts, and connects again with growing pauses when the connection is lost, from where it
 * stopped. Ends with an error only when the gateway refuses (token, cursor).
 */
export async function* readStream(
  api: Api,
  options: {
    after?: string | undefined
    signal: AbortSignal
    onRetry?: (error: unknown, pauseMs: number) => void
  },
): AsyncGenerator<StreamEvent> {
  const { signal } = options
  let cursor = options.after
  let pauseMs = 250
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' }
      if (cursor !== undefined) headers['last-event-id'] = cursor
      const response = await api.open('/v1/stream', headers, signal)
      if (!response.body)
        throw new ClientError('gateway-answer-invalid', 'GET /v1/stream: the answer has no body')
      const events = response.body
        .pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
        .pipeThrough(new EventSourceParserStream())
      for await (const event of events as unknown as AsyncIterable<{
        event?: string
        data: string
        id?: string
      }>) {
        pauseMs = 250
        if (event.id !== undefined) cursor = event.id
        yield { event: event.event ?? 'message', data: event.data, id: event.id ?? null }
      }
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof ClientError && error.code === 'gateway-refused' && (error.status ?? 0) < 500)
        throw error
      options.onRetry?.(error, pauseMs)
    }
    await pause(pauseMs, signal)
    pauseMs = Math.min(pauseMs * 2, 15_000)
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
  })
}
