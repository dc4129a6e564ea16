import type { MiddlewareHandler } from 'hono'
import { walletsNamed } from '../identity/index.ts'
import type { Session } from '../identity/types.ts'
import type { AppContext, AppEnv, HttpServices } from './context.ts'
import { HttpError } from './errors.ts'
import { limitError } from './rate-limit.ts'

/** RFC 6750 section 2.1. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i

/** The bearer token of the request, or null without an `Authorization` header. Errors: `unauthenticated`. */
export function bearerToken(context: AppContext): string | null {
  const header = context.req.header('authorization')
  if (header === undefined) return null
  const token = BEARER.exec(header)?.[1]
  if (token === undefined)
    throw new HttpError('unauthenticated', 'The header Authorization must read `Bearer <token>`')
  return token
}

/**
 * Finds the session of the token and counts the request against its wallet. Errors: `unauthenticated`, `session-invalid`,
 * `rate-limited`.
 */
export const authenticated: MiddlewareHandler<AppEnv> = async (context, next) => {
  const token = bearerToken(context)
  if (token === null) throw new HttpError('unauthenticated', 'The header Authorization is missing')
  await openSession(context, token)
  await next()
}

/** As `authenticated`, but lets requests without a token through, without a session. */
export const maybeAuthenticated: MiddlewareHandler<AppEnv> = async (context, next) => {
  const token = bearerToken(context)
  if (token !== null) await openSession(context, token)
  await next()
}

async function openSession(context: AppContext, token: string): Promise<void> {
  const services = context.get('services')
  const session = await services.identity.authenticate(token)
  if (!session) throw new HttpError('session-invalid', 'The token is not one of a running session')
  context.set('session', session)
  context.set('token', token)
  countSession(services, session)
  services.seen(session.wallet)
}

/** Counts `cost` requests against wallet and device of the session. Errors: `rate-limited`. */
export function countSession(
  { rates, metrics }: Pick<HttpServices, 'rates' | 'metrics'>,
  session: Session,
  cost = 1,
): void {
  const refusal = rates.session(session, cost)
  if (refusal === null) return
  metrics.rateLimited(refusal.scope)
  throw limitError(refusal.waitMs, refusal.scope)
}

/** The wallet named in the path, which must be that of the session. Errors: `wallet-mismatch`, those of `walletsNamed`. */
export function ownWallet(context: AppContext, wallet: string): void {
  const session = context.get('session')
  if (!session || !walletsNamed(wallet).includes(session.wallet)) {
    throw new HttpError('wallet-mismatch', 'The session belongs to another wallet than the path names')
  }
}
