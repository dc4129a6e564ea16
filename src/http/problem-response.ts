/** From whatever was thrown to an RFC 9457 answer. What is not in the registry is `internal-error`, told to the log alone. */
import { HTTPException } from 'hono/http-exception'
import { AdapterError } from '../adapter/index.ts'
import { EnrolmentError } from '../enrolment/errors.ts'
import { EnvelopeError } from '../envelope/errors.ts'
import { IdentityError } from '../identity/errors.ts'
import { RelayError } from '../relay/errors.ts'
import { AdmissionError } from '../relay/parts.ts'
import { StoreError } from '../store/port.ts'
import { HttpError, type InvalidPart } from './errors.ts'
import { isProblemCode, type ProblemCode, problems } from './problems.ts'

export interface ProblemBody {
  type: string
  title: string
  status: number
  detail?: string
  instance: string
  code: ProblemCode
  requestId: string
  fix: string
  errors?: InvalidPart[]
}

/** What was thrown, as the API speaks of it. */
export interface Refusal {
  code: ProblemCode
  detail: string | null
  retryAfterSeconds: number | null
  headers: Record<string, string>
  errors: InvalidPart[] | null
}

/** Finds the code of an error. Details of failures on our side stay in the log. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof HttpError) {
    const { retryAfterSeconds, headers, errors } = error.options
    return {
      code: error.code,
      detail: error.message,
      retryAfterSeconds: retryAfterSeconds ?? null,
      headers: headers ?? {},
      errors: errors ?? null,
    }
  }
  if (
    error instanceof EnvelopeError ||
    error instanceof IdentityError ||
    error instanceof EnrolmentError ||
    error instanceof RelayError
  ) {
    return plain(error.code, problems[error.code].status < 500 ? error.message : null)
  }
  if (error instanceof AdmissionError) {
    return plain(isProblemCode(error.code) ? error.code : 'admission-refused', error.message)
  }
  if (error instanceof StoreError) return plain(error.code, null)
  if (AdapterError.is(error)) return adapterRefusal(error)
  if (error instanceof HTTPException && error.status === 400) return plain('body-not-json', null)
  if (error instanceof HTTPException && error.status === 415) return plain('media-type-unsupported', null)
  return plain('internal-error', null)
}

function plain(code: ProblemCode, detail: string | null): Refusal {
  return { code, detail, retryAfterSeconds: null, headers: {}, errors: null }
}

function adapterRefusal(error: AdapterError): Refusal {
  switch (error.class) {
    case 'rateLimited': {
      const retryAfterSeconds = Math.ceil((error.retryAfterMs ?? 1000) / 1000)
      return { ...plain('network-rate-limited', null), retryAfterSeconds }
    }
    case 'retryable':
    case 'uncertain':
    case 'auth':
      return plain('network-unavailable', null)
    default:
      return plain('network-failed', null)
  }
}

export function problemBody(refusal: Refusal, requestId: string): ProblemBody {
  const { status, title, fix } = problems[refusal.code]
  return {
    type: `/docs/errors#${refusal.code}`,
    title,
    status,
    ...(refusal.detail ? { detail: refusal.detail } : {}),
    instance: `urn:causeway:request:${requestId}`,
    code: refusal.code,
    requestId,
    fix,
    ...(refusal.errors ? { errors: refusal.errors } : {}),
  }
}

export function problemResponse(refusal: Refusal, requestId: string): Response {
  const headers: Record<string, string> = { 'Content-Type': 'application/problem+json', ...refusal.headers }
  if (refusal.retryAfterSeconds !== null) headers['Retry-After'] = String(refusal.retryAfterSeconds)
  if (problems[refusal.code].status === 401) headers['WWW-Authenticate'] = 'Bearer'
  return new Response(JSON.stringify(problemBody(refusal, requestId)), {
    status: problems[refusal.code].status,
    headers,
  })
}
