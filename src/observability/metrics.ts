/** Prometheus metrics of every stage, on a registry of their own. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AdapterState, StateReport } from '../adapter/index.ts'
import type { RelayObserver } from '../relay/types.ts'
import type { StoreStatistics } from '../store/port.ts'

export interface HttpObserver {
  /** `route` is the pattern (`/v1/wallets/{wallet}`) or `unmatched`, never the path itself. */
  request(route: string, method: string, status: number, milliseconds: number): void
  /** A request that was refused because its caller makes too many. */
  rateLimited(scope: 'wallet' | 'device' | 'address' | 'signIn'): void
  webhook(network: string, outcome: 'taken' | 'refused' | 'failed', code: string | null): void
  /** A live stream ended by the gateway. */
  streamCut(transport: 'sse' | 'socket', reason: 'slow' | 'session' | 'shutdown' | 'failed'): void
}

export interface MetricSources {
  statistics(): Promise<StoreStatistics>
  subscribers(): number
}

export interface Metrics extends RelayObserver, HttpObserver {
  /** Where gauges get their values at scrape time. Called once, when the parts exist. */
  watch(sources: MetricSources): void
  /** Prometheus text exposition format. */
  render(): Promise<string>
  readonly contentType: string
  /** Name, type, help and labels of the gateway's own metrics, in order of name. */
  describe(): MetricDescription[]
}

export interface MetricDescription {
  name: string
  type: string
  help: string
  labels: string[]
}

const STATES: readonly AdapterState[] = [
  'starting',
  'connecting',
  'backfilling',
  'connected',
  'transientDisconnect',
  'badCredentials',
  'loggedOut',
  'stopped',
]
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
/** Seconds, from a local accept (under a millisecond) to a slow network. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
/** Statistics cost the store a count; scrapes within this many milliseconds share one. */
const STATISTICS_AGE_MS = 5_000
/** Most values of a label that does not come from a closed list in this process. */
const LABEL_VALUES = 64

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const own: {
    metric: Counter | Gauge | Histogram
    labels: string[]
    type: string
    help: string
    name: string
  }[] = []

  function counter(name: string, help: string, labels: string[]): Counter {
    const metric = new Counter({ name, help, labelNames: labels, registers })
    own.push({ metric, labels, type: 'counter', help, name })
    return metric
  }
  function gauge(
    name: string,
    help: string,
    labels: string[],
    collect?: (self: Gauge) => Promise<void> | void,
  ): Gauge {
    const metric: Gauge = new Gauge({
      name,
      help,
      labelNames: labels,
      registers,
      ...(collect ? { collect: () => collect(metric) } : {}),
    })
    own.push({ metric, labels, type: 'gauge', help, name })
    return metric
  }
  function histogram(name: string, help: string, labels: string[]): Histogram {
    const metric = new Histogram({ name, help, labelNames: labels, buckets: BUCKETS, registers })
    own.push({ metric, labels, type: 'histogram', help, name })
    return metric
  }

  let sources: MetricSources | null = null
  const statistics = shared(async () => {
    try {
      const read = sources ? await sources.statistics() : null
      storeUp.set(read ? 1 : 0)
      return read
    } catch {
      // A store that cannot count must not hide the other metrics: it shows as `causeway_store_up 0`.
      storeUp.set(0)
      return null
    }
  }, STATISTICS_AGE_MS)

  const requests = counter('causeway_http_requests_total', 'HTTP requests answered.', [
    'route',
    'method',
    'status',
  ])
  const requestSeconds = histogram(
    'causeway_http_request_duration_seconds',
    'Time from the first byte of a request to its answer; of a stream: to its first event.',
    ['route', 'method'],
  )
  const limited = counter('causeway_http_rate_limited_total', 'Requests refused with 429.', ['scope'])
  const webhooks = counter('causeway_webhooks_total', 'Webhook calls of networks.', [
    'network',
    'outcome',
    'code',
  ])
  const cuts = counter('causeway_streams_cut_total', 'Live streams that the gateway ended.', [
    'transport',
    'reason',
  ])
  const accepts = counter(
    'causeway_accepts_total',
    'Envelopes offered, by where they came from and what became of them.',
    ['via', 'outcome', 'code'],
  )
  const acceptSeconds = histogram(
    'causeway_accept_duration_seconds',
    'Time to take an envelope, durable write included.',
    ['via', 'outcome'],
  )
  const dispatches = counter('causeway_dispatches_total', 'Sends to a network, by outcome.', [
    'network',
    'outcome',
  ])
  const dispatchSeconds = histogram(
    'causeway_dispatch_duration_seconds',
    'Time a network took to answer a send.',
    ['network', 'outcome'],
  )
  const reconciles = counter('causeway_reconciles_total', 'Completed walks over the history of a network.', [
    'network',
  ])
  const reconciled = counter(
    'causeway_reconciled_frames_total',
    'Frames seen in walks over the history of a network.',
    ['network', 'result'],
  )
  const states = gauge('causeway_network_state', '1 for the state in which a network is, 0 for the others.', [
    'network',
    'state',
  ])
  const storeUp = gauge(
    'causeway_store_up',
    '1 if the store answered the last scrape, else 0.',
    [],
    async () => {
      await statistics()
    },
  )
  gauge('causeway_deliveries', 'Deliveries in the store.', ['network', 'state'], async (self) => {
    const counts = (await statistics())?.deliveries ?? []
    self.reset()
    for (const { network, state, count } of counts) self.set({ network, state }, count)
  })
  gauge('causeway_store_bytes', 'Size of the store.', [], async (self) =>
    self.set((await statistics())?.bytes ?? 0),
  )
  gauge('causeway_store_envelopes', 'Envelopes in the store.', [], async (self) => {
    self.set((await statistics())?.envelopes ?? 0)
  })
  gauge('causeway_store_wallets', 'Wallets known to the store.', [], async (self) => {
    self.set((await statistics())?.wallets ?? 0)
  })
  gauge('causeway_live_subscribers', 'Wallet subscriptions of open streams and sockets.', [], (self) => {
    self.set(sources?.subscribers() ?? 0)
  })

  const network = bounded(LABEL_VALUES)
  const code = bounded(LABEL_VALUES * 2)
  const route = bounded(LABEL_VALUES * 2)

  return {
    contentType: registry.contentType,
    watch(given) {
      sources = given
    },
    render: () => registry.metrics(),
    describe: () =>
      own
        .map(({ name, type, help, labels }) => ({ name, type, help, labels }))
        .sort((left, right) => (left.name < right.name ? -1 : 1)),
    request(pattern, method, status, milliseconds) {
      const labels = { route: route(pattern), method: METHODS.has(method) ? method : 'other' }
      requests.inc({ ...labels, status })
      requestSeconds.observe(labels, milliseconds / 1000)
    },
    rateLimited: (scope) => limited.inc({ scope }),
    webhook: (name, outcome, refusal) =>
      webhooks.inc({ network: network(name), outcome, code: code(refusal ?? 'none') }),
    streamCut: (transport, reason) => cuts.inc({ transport, reason }),
    accepted(via, outcome, refusal, milliseconds) {
      accepts.inc({ via: network(via), outcome, code: code(refusal ?? 'none') })
      acceptSeconds.observe({ via: network(via), outcome }, milliseconds / 1000)
    },
    dispatched(name, outcome, milliseconds) {
      dispatches.inc({ network: network(name), outcome })
      dispatchSeconds.observe({ network: network(name), outcome }, milliseconds / 1000)
    },
    reconciled(name, heard, accepted) {
      reconciles.inc({ network: network(name) })
      reconciled.inc({ network: network(name), result: 'heard' }, heard)
      reconciled.inc({ network: network(name), result: 'accepted' }, accepted)
    },
    networkState(name: string, report: StateReport) {
      for (const state of STATES)
        states.set({ network: network(name), state }, state === report.state ? 1 : 0)
    },
  }
}

/** Passes the first `limit` distinct values through and calls the rest `other`, so that no caller can grow the registry. */
function bounded(limit: number): (value: string) => string {
  const known = new Set<string>()
  return (value) => {
    if (known.has(value)) return value
    if (known.size >= limit) return 'other'
    known.add(value)
    return value
  }
}

/** Runs `load` at most once per `ageMs`; callers in between share the running or last answer. `load` must not reject. */
function shared<T>(load: () => Promise<T>, ageMs: number): () => Promise<T> {
  let last: { at: number; value: Promise<T> } | null = null
  return () => {
    const now = performance.now()
    if (!last || now - last.at >= ageMs) last = { at: now, value: load() }
    return last.value
  }
}

/** `docs/reference/metrics.md`. */
export function renderMetricsReference(): string {
  const rows = createMetrics()
    .describe()
    .map(({ name, type, help, labels }) => {
      return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`
    })
  return [
    '# Metrics',
    '',
    'Served at `GET /metrics` in the Prometheus text format, beside the default metrics of a Node process (`process_*`, `nodejs_*`).',
    'Routes are patterns, never paths; a label that could grow without end folds into `other`.',
    '',
    '| metric | type | labels | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
