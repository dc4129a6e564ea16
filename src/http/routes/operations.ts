/** Health, readiness, metrics. */
import { createRoute, z } from '@hono/zod-openapi'
import type { AdapterState } from '../../adapter/index.ts'
import type { App, HttpParts } from '../context.ts'
import { jsonContent } from '../documentation.ts'

const partsSchema = z.object({
  ready: z.boolean(),
  parts: z.record(z.string(), z.string()).openapi({ example: { store: 'ok', 'network:waku': 'connected' } }),
})

const health = createRoute({
  method: 'get',
  path: '/healthz',
  operationId: 'getHealth',
  tags: ['Operations'],
  summary: 'The process answers',
  responses: {
    200: { description: 'It does.', content: jsonContent(z.object({ status: z.literal('ok') })) },
  },
})

const readiness = createRoute({
  method: 'get',
  path: '/readyz',
  operationId: 'getReadiness',
  tags: ['Operations'],
  summary: 'The gateway can take envelopes',
  description:
    'The store has written durably within the last second, at least one network has not failed, and no shutdown is under way.',
  responses: {
    200: { description: 'Ready.', content: jsonContent(partsSchema) },
    503: { description: 'Not ready; `parts` says what is missing.', content: jsonContent(partsSchema) },
  },
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  tags: ['Operations'],
  summary: 'Metrics in the Prometheus text format',
  description:
    'They name no wallet. Reachable by whoever reaches the gateway: close the path at the proxy where that matters.',
  responses: {
    200: { description: 'See docs/reference/metrics.md.', content: { 'text/plain': { schema: z.string() } } },
  },
})

/** A network in one of these does not come back without an operator. */
const FAILED: ReadonlySet<AdapterState> = new Set(['badCredentials', 'loggedOut', 'stopped'])
const PROBE_TIMEOUT_MS = 2_000
/** Probes write to the disk: callers within this many milliseconds share one. */
const PROBE_AGE_MS = 1_000

export function registerOperations(app: App): void {
  app.openapi(health, (context) => context.json({ status: 'ok' as const }, 200))

  app.openapi(readiness, async (context) => {
    const { networks, streams, storeProbe } = context.get('services')
    const parts: Record<string, string> = { store: await storeProbe() }
    const list = networks.list()
    for (const { network, state } of list) parts[`network:${network}`] = state
    if (streams.closing) parts.gateway = 'shutting down'
    const someNetwork = list.length === 0 || list.some(({ state }) => !FAILED.has(state))
    const ready = parts.store === 'ok' && someNetwork && !streams.closing
    return context.json({ ready, parts }, ready ? 200 : 503)
  })

  app.openapi(metricsRoute, async (context) => {
    const { metrics } = context.get('services')
    return context.text(await metrics.render(), 200, { 'Content-Type': metrics.contentType })
  })
}

/** `ok`, `slow` or `failed`. */
export type StoreProbe = () => Promise<string>

/** A probe of the store that callers within a second share. */
export function createStoreProbe({
  store,
  clock,
  log,
}: Pick<HttpParts, 'store' | 'clock' | 'log'>): StoreProbe {
  let last: { at: number; result: Promise<string> } | null = null

  async function probe(): Promise<string> {
    const done = new AbortController()
    try {
      const timeout = clock.sleep(PROBE_TIMEOUT_MS, done.signal).then(() => 'slow')
      timeout.catch(() => 'the probe was faster')
      return await Promise.race([store.probe().then(() => 'ok'), timeout])
    } catch (error) {
      log.error({ err: error }, 'the store failed its probe')
      return 'failed'
    } finally {
      done.abort()
    }
  }

  return () => {
    const now = clock.monotonic()
    if (!last || now - last.at > PROBE_AGE_MS) last = { at: now, result: probe() }
    return last.result
  }
}
