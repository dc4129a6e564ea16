/** The gateway's HTTP API, typed. Problems (RFC 9457) become `ClientError`s. */
import { ClientError } from './errors.ts'

export interface Api {
  get<Answer>(path: string, options?: CallOptions): Promise<Answer>
  post<Answer>(path: string, body: unknown, options?: CallOptions): Promise<Answer>
  put<Answer>(path: string, body: unknown, options?: CallOptions): Promise<Answer>
  remove<T = void>(path: string, options?: CallOptions): Promise<T>
  /** Opens a streaming answer. */
  open(path: string, headers: Record<string, string>, signal?: AbortSignal): Promise<Response>
  /** Bearer token of the calls that follow; null for none. */
  token: string | null
}

export interface CallOptions {
  signal?: AbortSignal
  /** Milliseconds; 30 s unless given. */
  timeoutMs?: number
}

interface Problem {
  code?: string
  detail?: string
  title?: string
  fix?: string
}

/** `gateway`: base URL, e.g. `http://127.0.0.1:8787`. `fetch` may be given to route requests elsewhere. */
export function createApi(gateway: string, fetch: typeof globalThis.fetch = globalThis.fetch): Api {
  const base = gateway.replace(/\/+$/, '')

  async function request(method: string, path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers)
    if (api.token) headers.set('authorization', `Bearer ${api.token}`)
    let response: Response
    try {
      response = await fetch(base + path, { ...init, method, headers })
    } catch (cause) {
      if (init.signal?.aborted && !isTimeout(init.signal.reason)) throw init.signal.reason
      throw new ClientError(
        'gateway-unreachable',
        `${method} ${path}: the gateway at ${base} does not answer`,
        { cause },
      )
    }
    if (!response.ok) throw await refusal(method, path, response)
    return response
  }

  async function call<Answer>(
    method: string,
    path: string,
    body: unknown,
    options: CallOptions = {},
  ): Promise<Answer> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 30_000)
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout
    const init: RequestInit = { signal }
    if (body instanceof Uint8Array) {
      init.body = body as BodyInit
      init.headers = { 'content-type': 'application/cbor' }
    } else if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { 'content-type': 'application/json' }
    }
    const response = await request(method, path, init)
    if (response.status === 204) return undefined as Answer
    try {
      return (await response.json()) as Answer
    } catch (cause) {
      throw new ClientError('gateway-answer-invalid', `${method} ${path}: the answer is not JSON`, { cause })
    }
  }

  const api: Api = {
    token: null,
    get: (path, options) => call('GET', path, undefined, options),
    post: (path, body, options) => call('POST', path, body, options),
    put: (path, body, options) => call('PUT', path, body, options),
    remove: (path, options) => call('DELETE', path, undefined, options),
    open: (path, headers, signal) => request('GET', path, signal ? { headers, signal } : { headers }),
  }
  return api
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}

async function refusal(method: string, path: string, response: Response): Promise<ClientError> {
  const text = await response.text()
  let problem: Problem = {}
  try {
    problem = JSON.parse(text) as Problem
  } catch {
    problem = { detail: `HTTP ${response.status}` }
  }
  const words = [problem.detail ?? problem.title ?? `HTTP ${response.status}`, problem.fix]
    .filter(Boolean)
    .join(' ')
  const retryAfterSeconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ClientError('gateway-refused', `${method} ${path}: ${words}`, {
    status: response.status,
    ...(Number.isFinite(retryAfterSeconds) ? { retryAfterMs: retryAfterSeconds * 1000 } : {}),
    ...(problem.code === undefined ? {} : { problem: problem.code }),
  })
}
