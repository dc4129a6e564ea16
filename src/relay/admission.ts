import { LRUCache } from 'lru-cache'
import type { Clock } from '../adapter/index.ts'
import { H, toHex } from '../envelope/index.ts'
import { createBucket } from '../token-bucket.ts'
import { type Admission, AdmissionError, type Stranger } from './parts.ts'

/** What strangers may send over networks: wallets that have not signed in here. */
export interface AdmissionLimits {
  /** Envelopes a second of one stranger, and of one device, sustained. */
  strangerPerSecond: number
  /** Envelopes of one stranger, and of one device, at once. */
  strangerBurst: number
  /** Certificates a second that are verified for one network, sustained. */
  networkPerSecond: number
  /** Certificates that are verified for one network at once. */
  networkBurst: number
}

/** Wallets, devices and certificates that are remembered. */
const TRACKED = 20_000

/**
 * Keeps strangers from using the gateway up. A wallet and a device have a budget each, counted once the signature has proved
 * who they are. A certificate that was not seen to be good lately costs a token of its network first, because verifying it
 * costs a wallet signature; certificates that are known to be good are free, so a flood of bad ones holds up new senders only.
 *
 * Refusals have the codes `stranger-rate-limited` and `network-rate-limited`. Such a frame is not remembered: walks of the
 * network's history bring it again for a minute, which evens out bursts, and what is too much for longer is lost.
 *
 * Wallets that are served here have their limits in the HTTP API.
 */
export function createAdmission(options: {
  clock: Pick<Clock, 'monotonic'>
  limits: AdmissionLimits
}): Admission {
  const { clock, limits } = options
  const ofStranger = { perSecond: limits.strangerPerSecond, burst: limits.strangerBurst, tracked: TRACKED }
  const ofNetwork = { perSecond: limits.networkPerSecond, burst: limits.networkBurst, tracked: TRACKED }
  const wallets = createBucket(ofStranger, clock)
  const devices = createBucket(ofStranger, clock)
  const networks = createBucket(ofNetwork, clock)
  /** Certificates that went through. */
  const good = new LRUCache<string, true>({ max: TRACKED })

  return {
    examine(stranger) {
      // Without a certificate there is nothing to verify.
      if (stranger.certificate === null || good.has(keyOf(stranger))) return
      if (networks.take(stranger.via) > 0) {
        throw new AdmissionError(
          'network-rate-limited',
          'Too many senders that were not heard before on this network; send again in a minute',
        )
      }
    },
    admit({ stranger }) {
      if (!stranger) return
      good.set(keyOf(stranger), true)
      if (wallets.take(stranger.from) > 0 || devices.take(toHex(stranger.device)) > 0) {
        throw new AdmissionError(
          'stranger-rate-limited',
          'The sender has sent too much at once; send again in a minute',
        )
      }
    },
  }
}

function keyOf({ from, device, certificate }: Stranger): string {
  return toHex(H('causeway/stranger/1', from, device, certificate ?? new Uint8Array()))
}
