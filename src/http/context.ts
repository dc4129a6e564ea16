/** What every part of the HTTP layer shares. */
import type { HttpBindings } from '@hono/node-server'
import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Clock } from '../adapter/index.ts'
import type { Enrolments } from '../enrolment/types.ts'
import type { Identity, Session } from '../identity/types.ts'
import type { LiveHub } from '../live/hub.ts'
import type { Log } from '../observability/log.ts'
import type { Metrics } from '../observability/metrics.ts'
import type { Networks, Relay } from '../relay/types.ts'
import type { Store } from '../store/port.ts'
import type { CursorSource } from './cursor.ts'
import type { RateLimits } from './rate-limit.ts'
import type { StoreProbe } from './routes/operations.ts'
import type { HttpSettings } from './settings.ts'
import type { StreamRegistry } from './stream-registry.ts'

export interface GatewayDescription {
  /** As it stands in hop traces. */
  id: string
  version: string
  /** Ed25519; also the device that signs what the gateway attests. */
  publicKey: Uint8Array
  /** X25519; null without hop mode. */
  encryptionKey: Uint8Array | null
  /** Some network is a local stand-in. */
  sandbox: boolean
  /** Domain of the texts that wallets sign. */
  domain: string
}

export interface HttpParts {
  gateway: GatewayDescription
  identity: Identity
  relay: Relay
  /** Hop mode; null without. */
  enrolments: Enrolments | null
  networks: Networks
  store: Store
  live: LiveHub
  /** Told of each request of a wallet. */
  seen(wallet: string): void
  metrics: Metrics
  log: Log
  clock: Clock
  settings: HttpSettings
}

/** The parts together with what the HTTP layer makes for itself. */
export interface HttpServices extends HttpParts {
  startedAt: number
  cursors: CursorSource
  rates: RateLimits
  streams: StreamRegistry
  storeProbe: StoreProbe
}

export interface AppEnv {
  /** Present behind a real server; absent under `app.request()`. */
  Bindings: Partial<HttpBindings>
  Variables: {
    services: HttpServices
    requestId: string
    /** Client address for rate limits; see `client-address.ts`. */
    address: string
    session?: Session
    /** The bearer token of `session`. */
    token?: string
    /** Raw body, where the route reads it whole. */
    body?: Uint8Array
  }
}

export type App = OpenAPIHono<AppEnv>
export type AppContext = Context<AppEnv>

/** The session of a route that has `authenticated` among its middleware. */
export function sessionOf(context: AppContext): Session {
  const session = context.get('session')
  if (!session) throw new Error('The route reads the session without requiring one')
  return session
}
