import type { MiddlewareHandler } from 'hono'
import type { AppContext, AppEnv } from './context.ts'
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
  const { identity, rates, metrics } = context.get('services')
  const session = await identity.authenticate(token)
  if (!session) throw new HttpError('session-invalid', 'The token is not one of a running session')
  context.set('session', session)
  context.set('token', token)
  const limited = limitError(rates.wallet.take(session.wallet), 'wallet')
  if (!limited) return
  metrics.rateLimited('wallet')
  throw limited
}

/** The wallet named in the path, which must be that of the session. Errors: `wallet-mismatch`, those of `walletKey`. */
export function ownWallet(context: AppContext, wallet: string): void {
  const { identity } = context.get('services')
  const session = context.get('session')
  if (identity.walletKey(wallet) !== session?.wallet) {
    throw new HttpError('wallet-mismatch', 'The session belongs to another wallet than the path names')
  }
}
