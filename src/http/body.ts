/** Reading bodies: counted while they arrive, within a time, once and without a second copy. */
import type { IncomingMessage } from 'node:http'
import type { MiddlewareHandler } from 'hono'
import type { AppContext, AppEnv } from './context.ts'
import { HttpError } from './errors.ts'
import type { HttpLimits } from './settings.ts'

/**
 * The whole body as bytes with a buffer of their own. Errors: `body-too-large` (from `Content-Length` at once, else as soon
 * as the limit is passed), `body-timeout`, `body-incomplete`.
 */
export async function readBody(context: AppContext, limit: number): Promise<Uint8Array> {
  const { incoming } = context.env ?? {}
  const declared = context.req.header('content-length')
  if (declared !== undefined && Number(declared) > limit) throw tooLarge(limit)
  const { bodyTimeoutMs } = context.get('services').settings.limits
  if (incoming) return readIncoming(incoming, limit, bodyTimeoutMs)
  const bytes = new Uint8Array(await context.req.raw.arrayBuffer())
  if (bytes.length > limit) throw tooLarge(limit)
  return bytes
}

/** Middleware of routes with a JSON body: reads it under the limit, for the validator that follows. */
export function jsonBody(
  limitOf: (limits: HttpLimits) => number = (limits) => limits.jsonBytes,
): MiddlewareHandler<AppEnv> {
  return async (context, next) => {
    requireMediaType(context, ['application/json'])
    const bytes = await readBody(context, limitOf(context.get('services').settings.limits))
    // Hono keeps promises in this cache although its type says otherwise; the validator's `json()` awaits this one.
    context.req.bodyCache.text = Promise.resolve(decodeText(bytes)) as unknown as string
    await next()
  }
}

/** The media type of the body, without parameters. Errors: `media-type-unsupported`. */
export function requireMediaType(context: AppContext, allowed: readonly string[]): string {
  const type = (context.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (!allowed.includes(type)) {
    throw new HttpError('media-type-unsupported', `Content-Type must be ${allowed.join(' or ')}`)
  }
  return type
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new HttpError('body-not-json', 'The body is not UTF-8', { cause })
  }
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes))
  } catch (cause) {
    if (cause instanceof HttpError) throw cause
    throw new HttpError('body-not-json', 'The body is not JSON', { cause })
  }
}

function tooLarge(limit: number): HttpError {
  // The rest of the body will not be read, so the connection cannot serve another request.
  return new HttpError('body-too-large', `The body may have ${limit} bytes`, {
    headers: { Connection: 'close' },
  })
}

function readIncoming(incoming: IncomingMessage, limit: number, timeoutMs: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const timer = setTimeout(() => {
      const headers = { Connection: 'close' }
      settle(() =>
        reject(new HttpError('body-timeout', `The body did not arrive within ${timeoutMs} ms`, { headers })),
      )
    }, timeoutMs)

    function settle(finish: () => void): void {
      clearTimeout(timer)
      incoming.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      finish()
    }
    function onData(chunk: Buffer): void {
      length += chunk.length
      if (length > limit) {
        settle(() => reject(tooLarge(limit)))
        incoming.resume()
      } else chunks.push(chunk)
    }
    function onEnd(): void {
      settle(() => resolve(join(chunks, length)))
    }
    function onBroken(cause?: Error): void {
      settle(() =>
        reject(new HttpError('body-incomplete', 'The connection ended within the body', { cause })),
      )
    }
    incoming.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
    if (incoming.readableEnded) onEnd()
    else if (incoming.destroyed) onBroken()
  })
}

/** One array with its own buffer: chunks are views into the large buffers of the socket. */
function join(chunks: Buffer[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.length
  }
  return bytes
}
