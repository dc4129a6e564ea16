/** The HTTP API: a Hono app over the gateway's parts. */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { App, AppEnv, HttpParts, HttpServices } from './context.ts'
import { createCursorSource } from './cursor.ts'
import { registerDocs } from './docs.ts'
import { HttpError } from './errors.ts'
import { perimeter, routeOf } from './perimeter.ts'
import { problemResponse, refusalOf } from './problem-response.ts'
import { createRateLimits } from './rate-limit.ts'
import { registerRoutes } from './routes/index.ts'
import { createStoreProbe } from './routes/operations.ts'
import { type HttpServer, type ListenOptions, serveHttp } from './server.ts'
import { createStreamRegistry } from './stream-registry.ts'

export interface HttpApi {
  app: App
  /** Listens. Rejects when the address cannot be had. */
  serve(options: ListenOptions): Promise<HttpServer>
}

/**
 * Makes the API of a gateway. Nothing is opened before `serve`; `app.request()` works without a server, streams excepted.
 *
 * @example
 * const server = await createHttpApi(parts).serve({ host: '127.0.0.1', port: 0 })
 * await fetch(`${server.url}/healthz`)
 * await server.close(AbortSignal.timeout(10_000))
 */
export function createHttpApi(parts: HttpParts): HttpApi {
  const { store, settings, clock, metrics, live, log } = parts
  const services: HttpServices = {
    ...parts,
    startedAt: clock.now(),
    cursors: createCursorSource(store),
    rates: createRateLimits(settings.limits, clock),
    streams: createStreamRegistry(settings.streams),
    storeProbe: createStoreProbe(parts),
  }
  metrics.watch({ statistics: () => store.statistics(), subscribers: () => live.subscribers })

  const app: App = new OpenAPIHono<AppEnv>({
    defaultHook(result) {
      if (result.success) return
      const errors = result.error.issues.map(({ path, message }) => {
        return { path: [PLACES[result.target] ?? result.target, ...path.map(String)].join('.'), message }
      })
      throw new HttpError(
        'request-invalid',
        errors.map(({ path, message }) => `${path}: ${message}`).join('; '),
        { errors },
      )
    },
  })
  app.use(perimeter(services))
  registerRoutes(app)
  registerDocs(app, parts.gateway.version)

  const allowedMethods = methodsByPath(app)
  app.notFound((context) => {
    const allowed = allowedMethods(context.req.path)
    const error =
      allowed.length > 0
        ? new HttpError('method-not-allowed', `The route takes ${allowed.join(', ')}`, {
            headers: { Allow: allowed.join(', ') },
          })
        : new HttpError('not-found', 'There is no route with this path')
    return problemResponse(refusalOf(error), context.get('requestId'))
  })
  app.onError((error, context) => {
    const refusal = refusalOf(error)
    const response = problemResponse(refusal, context.get('requestId'))
    if (response.status >= 500) {
      const details = {
        err: error,
        code: refusal.code,
        requestId: context.get('requestId'),
        route: routeOf(context),
      }
      log.error(details, 'a request failed')
    }
    return response
  })

  return { app, serve: (options) => serveHttp(app, services, options) }
}

/** Names of the parts of a request in `errors[].path`. */
const PLACES: Partial<Record<string, string>> = { json: 'body', param: 'path' }

/** Which methods a path knows, for requests that no route took. */
function methodsByPath(app: App): (path: string) => string[] {
  const patterns = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  for (const { path, method } of app.routes) {
    if (method === 'ALL') continue
    const known = patterns.get(path) ?? {
      pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/:[^/]+/g, '[^/]+')}$`),
      methods: new Set<string>(),
    }
    known.methods.add(method)
    patterns.set(path, known)
  }
  return (path) => [
    ...new Set(
      [...patterns.values()]
        .filter(({ pattern }) => pattern.test(path))
        .flatMap(({ methods }) => [...methods]),
    ),
  ]
}
