/** The live stream of a wallet: server-sent events over `fetch`, so that the token stays in a header. */
import { EventSourceParserStream } from 'eventsource-parser/stream'
import type { Api } from './api.ts'
import { ClientError, isTransient } from './errors.ts'
import { pause, pauseBefore } from './pause.ts'

export interface StreamEvent {
  event: string
  data: string
  /** Inbox cursor; pass it as `after` to go on from here. */
  id: string | null
}

/** Called before each pause, with what went wrong and how long the pause is. The error is null when the gateway ended the stream. */
export type OnRetry = (error: Error | null, pauseMs: number) => void

/**
 * Yields events until the signal aborts, and connects again with growing pauses when the connection is lost, from where it
 * stopped. Ends with an error only when the gateway refuses for good (token, cursor).
 */
export async function* readStream(
  api: Api,
  options: { after?: string | undefined; signal: AbortSignal; onRetry?: OnRetry | undefined },
): AsyncGenerator<StreamEvent> {
  const { signal } = options
  let cursor = options.after
  for (let attempt = 0; !signal.aborted; attempt++) {
    let failure: Error | null = null
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
        attempt = 0
        if (event.id !== undefined) cursor = event.id
        yield { event: event.event ?? 'message', data: event.data, id: event.id ?? null }
      }
    } catch (error) {
      if (signal.aborted) return
      if (!(error instanceof Error)) throw error
      if (error instanceof ClientError && error.code === 'gateway-refused' && !isTransient(error)) throw error
      failure = error
    }
    const pauseMs = pauseBefore(attempt, failure instanceof ClientError ? failure.retryAfterMs : 0)
    options.onRetry?.(failure, pauseMs)
    await pause(pauseMs, signal)
  }
}
