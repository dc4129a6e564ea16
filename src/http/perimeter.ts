/** The outermost middleware: request id, rate limit by address, cross-origin rules, security headers, metrics, log. */
import { randomUUID } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import { routePath } from 'hono/route'
import { clientAddress } from './client-address.ts'
import type { AppContext, AppEnv, HttpServices } from './context.ts'
import { problemResponse, refusalOf } from './problem-response.ts'
import { limitError } from './rate-limit.ts'

const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$/

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/**
 * Not counted by address. Health: a flood must not make the gateway look dead to its supervisor. Webhooks: all of a network
 * come from a few addresses; of those only the refused ones count, see `routes/webhooks.ts`.
 */
function isUnlimited(path: string): boolean {
  return path === '/healthz' || path === '/readyz' || path.startsWith('/hooks/')
}

export function perimeter(services: HttpServices): MiddlewareHandler<AppEnv> {
  const { settings, clock, metrics, rates } = services
  return async (context, next) => {
    const startedAt = clock.monotonic()
    const inboundId = context.req.header('x-request-id')
    context.set('services', services)
    // Ids stand in the log as they are. Session tokens look like secrets and are scrubbed there; the operator's may be any text.
    const isUsable = inboundId && REQUEST_ID.test(inboundId) && inboundId !== settings.adminToken
    context.set('requestId', isUsable ? inboundId : randomUUID())
    context.set('address', clientAddress(context.env?.incoming, settings.trustProxy))

    if (isPreflight(context)) context.res = new Response(null, { status: 204 })
    else if (isUnlimited(context.req.path)) await next()
    else {
      const limited = limitError(rates.address.take(context.get('address')), 'address')
      if (!limited) await next()
      else {
        metrics.rateLimited('address')
        context.res = problemResponse(refusalOf(limited), context.get('requestId'))
      }
    }

    const milliseconds = clock.monotonic() - startedAt
    const route = routeOf(context)
    addHeaders(context)
    metrics.request(route, context.req.method, context.res.status, milliseconds)
    note(services, context, route, milliseconds)
  }
}

/**
 * Adds the headers of every answer where the answer has not set them itself. On a server they go to the outgoing message, whose
 * own headers give way to those of the answer: to read the answer's would build objects that nothing else needs.
 */
function addHeaders(context: AppContext): void {
  const { outgoing } = context.env ?? {}
  // A stream has written its own headers by now.
  if (outgoing?.headersSent) return
  const common = commonHeaders(context)
  if (outgoing) {
    for (const name in common) outgoing.setHeader(name, common[name]!)
    return
  }
  const { headers } = context.res
  for (const name in common) if (!headers.has(name)) headers.set(name, common[name]!)
}

/** Headers of every answer; for streams that write theirs themselves. */
export function commonHeaders(context: AppContext): Record<string, string> {
  const { settings, streams } = context.get('services')
  return {
    ...SECURITY_HEADERS,
    'X-Request-Id': context.get('requestId'),
    ...(streams.closing ? { Connection: 'close' } : {}),
    ...crossOriginHeaders(context.req.header('origin'), settings.corsOrigins),
  }
}

/** Pattern of the route as it is documented, or `unmatched`. */
export function routeOf(context: AppContext): string {
  const path = routePath(context, -1)
  let route = routes.get(path)
  if (route === undefined) {
    route = path === '/*' ? 'unmatched' : path.replaceAll(/:([A-Za-z]+)/g, '{$1}')
    routes.set(path, route)
  }
  return route
}

/** As many as there are routes. */
const routes = new Map<string, string>()

function isPreflight(context: AppContext): boolean {
  return context.req.method === 'OPTIONS' && context.req.header('access-control-request-method') !== undefined
}

/** The API is used with bearer tokens and never with cookies, so no credentials are allowed across origins. */
function crossOriginHeaders(origin: string | undefined, allowed: string[]): Record<string, string> {
  if (allowed.length === 0) return {}
  const any = allowed.includes('*')
  if (!any && !(origin && allowed.includes(origin))) return { Vary: 'Origin' }
  return {
    'Access-Control-Allow-Origin': any ? '*' : String(origin),
    'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE',
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, Last-Event-ID, X-Request-Id',
    'Access-Control-Expose-Headers': 'X-Request-Id, Retry-After',
    'Access-Control-Max-Age': '600',
    ...(any ? {} : { Vary: 'Origin' }),
  }
}

function note({ log }: HttpServices, context: AppContext, route: string, milliseconds: number): void {
  const details = {
    requestId: context.get('requestId'),
    route,
    method: context.req.method,
    status: context.res.status,
    milliseconds: Math.round(milliseconds * 100) / 100,
  }
  log.debug(details, 'request')
}
