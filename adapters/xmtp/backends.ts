/**
 * Connections to the network, shared by clients. The SDK lets 5,000 calls a minute through one connection and holds back what
 * is more for up to a minute; so each has a count of its own, and many clients spread over a few connections.
 */
import type { Backend, XmtpEnv } from '@xmtp/node-sdk'
import type { Clock } from '../../src/adapter/index.ts'
import type { Environment } from './config.ts'
import { Limiter } from './limiter.ts'
import type { Sdk } from './sdk.ts'

/** 2,000 at once and 3,000 more in the same minute: no minute sees more than the SDK's 5,000. */
const BURST = 2_000
const PER_MINUTE = 3_000

export interface SharedBackend {
  readonly backend: Backend
  readonly requests: Limiter
  readonly clock: Clock
}

export interface BackendPoolOptions {
  environment: Environment
  apiUrl: string
  clock: Clock
  /** Most connections; default 8. */
  size?: number
}

/** Opens connections as clients come, one each until there are `size`, then gives the one with the fewest clients. */
export class BackendPool {
  readonly #options: BackendPoolOptions
  readonly #members: { shared: Promise<SharedBackend>; clients: number }[] = []

  constructor(options: BackendPoolOptions) {
    this.#options = options
  }

  /** A connection for one client, and what gives it back. Rejects when the SDK cannot make one. */
  async acquire(sdk: Sdk): Promise<{ shared: SharedBackend; release: () => void }> {
    const idle = this.#members.find(({ clients }) => clients === 0)
    const member =
      idle ?? (this.#members.length < (this.#options.size ?? 8) ? this.#add(sdk) : this.#leastUsed())
    member.clients++
    let released = false
    const release = () => {
      if (!released) member.clients--
      released = true
    }
    try {
      return { shared: await member.shared, release }
    } catch (error) {
      const place = this.#members.indexOf(member)
      if (place >= 0) this.#members.splice(place, 1)
      throw error
    }
  }

  #add(sdk: Sdk) {
    const { environment, apiUrl, clock } = this.#options
    const requests = new Limiter({ burst: BURST, perMinute: PER_MINUTE, clock })
    const shared = sdk
      .createBackend({ env: environment satisfies XmtpEnv, apiUrl })
      .then((backend) => ({ backend, requests, clock }))
    const member = { shared, clients: 0 }
    this.#members.push(member)
    return member
  }

  #leastUsed() {
    return this.#members.reduce((least, member) => (member.clients < least.clients ? member : least))
  }
}
