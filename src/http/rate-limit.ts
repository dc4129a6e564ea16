/** Token buckets per wallet, per device and per client address, in bounded memory. */
import type { Clock } from '../adapter/index.ts'
import type { Session } from '../identity/types.ts'
import { type Bucket, createBucket } from '../token-bucket.ts'
import { base64url } from './encode.ts'
import { HttpError } from './errors.ts'
import type { HttpLimits } from './settings.ts'

export interface RateLimits {
  /**
   * Counts what a session does against its wallet and its device. A device has the budget of a wallet, however many wallets
   * have certified it. Null, or who has had too much and for how many milliseconds to wait.
   */
  session(session: Pick<Session, 'wallet' | 'device'>, cost?: number): SessionRefusal | null
  /** Wallets and devices whose budget is remembered. */
  readonly remembered: { wallets: number; devices: number }
  address: Bucket
  signIn: Bucket
  /** Webhook calls of a client address that were refused. */
  refusedWebhook: Bucket
}

export interface SessionRefusal {
  scope: 'wallet' | 'device'
  waitMs: number
}

export function createRateLimits(limits: HttpLimits, clock: Pick<Clock, 'monotonic'>): RateLimits {
  const tracked = limits.trackedCallers
  const owned = { perSecond: limits.walletPerSecond, burst: limits.walletBurst, tracked }
  const wallets = createBucket(owned, clock)
  const devices = createBucket(owned, clock)
  return {
    session({ wallet, device }, cost = 1) {
      const deviceMs = devices.take(base64url(device), cost)
      if (deviceMs > 0) return { scope: 'device', waitMs: deviceMs }
      const walletMs = wallets.take(wallet, cost)
      return walletMs > 0 ? { scope: 'wallet', waitMs: walletMs } : null
    },
    get remembered() {
      return { wallets: wallets.size, devices: devices.size }
    },
    address: createBucket({ perSecond: limits.addressPerSecond, burst: limits.addressBurst, tracked }, clock),
    refusedWebhook: createBucket(
      { perSecond: limits.signInsPerMinute / 60, burst: limits.signInsPerMinute, tracked },
      clock,
    ),
    signIn: createBucket(
      { perSecond: limits.signInsPerMinute / 60, burst: limits.signInsPerMinute, tracked },
      clock,
    ),
  }
}

/** The refusal for a wait in milliseconds, as a bucket answered it; null for no wait. */
export function limitError(waitMs: number, what: string): HttpError | null {
  if (waitMs <= 0) return null
  const retryAfterSeconds = Math.ceil(waitMs / 1000)
  return new HttpError(
    'rate-limited',
    `Too many requests of this ${what}; try again in ${retryAfterSeconds} s`,
    {
      retryAfterSeconds,
    },
  )
}
