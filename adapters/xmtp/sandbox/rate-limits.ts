/** The limits of the public network: a bucket of tokens each for publishing and for everything else. SANDBOX. */
import { status } from '@grpc/grpc-js'
import { Refusal } from './refusal.ts'

export interface RateLimits {
  /** Size of the bucket for publishing, and how much of it returns each minute. */
  publishes: number
  publishesPerMinute: number
  /** The same for every other call. */
  others: number
  othersPerMinute: number
  /** Whom a bucket belongs to. The network counts by IP address; on loopback that is everybody together. */
  per: 'address' | 'connection'
}

export const networkRateLimits: RateLimits = {
  publishes: 3_000,
  publishesPerMinute: 600,
  others: 20_000,
  othersPerMinute: 4_000,
  per: 'address',
}

const PUBLISHING = new Set([
  'SendGroupMessages',
  'SendWelcomeMessages',
  'RegisterInstallation',
  'UploadKeyPackage',
  'PublishIdentityUpdate',
  'BatchPublishCommitLog',
])

interface Bucket {
  tokens: number
  at: number
}

export class RateLimiter {
  readonly #limits: RateLimits
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: RateLimits, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** Takes a token. Throws `Refusal` when the bucket is empty. `peer` is `address:port`. */
  take(method: string, peer: string): void {
    const isPublish = PUBLISHING.has(method)
    const [size, perMinute] = isPublish
      ? [this.#limits.publishes, this.#limits.publishesPerMinute]
      : [this.#limits.others, this.#limits.othersPerMinute]
    const owner = this.#limits.per === 'connection' ? peer : peer.slice(0, peer.lastIndexOf(':'))
    const key = `${isPublish} ${owner}`
    const now = this.#now()
    const bucket = this.#buckets.get(key) ?? { tokens: size, at: now }
    const tokens = Math.min(size, bucket.tokens + ((now - bucket.at) / 60_000) * perMinute)
    const isAllowed = tokens >= 1
    this.#buckets.set(key, { tokens: isAllowed ? tokens - 1 : tokens, at: now })
    if (!isAllowed) throw new Refusal(status.RESOURCE_EXHAUSTED, 'rate limit exceeded')
  }

  static isPublish(method: string): boolean {
    return PUBLISHING.has(method)
  }
}
