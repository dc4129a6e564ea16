/** What certificates beside envelopes say, for wallets whose key log is not here. */
import { LRUCache } from 'lru-cache'
import { H, toHex } from '../envelope/index.ts'
import { walletKind } from './caip.ts'
import { type CertifiedDevice, verifyCertificate } from './certificate.ts'
import { IdentityError, type IdentityErrorCode } from './errors.ts'
import type { VerifyWallet } from './wallet-signature.ts'

const CACHED_VERDICTS = 20_000
/** How long the answer of a smart account about a certificate counts: its owner may change. */
const FRESH_MS = 15 * 60_000
/** For how long it counts while the account's chain cannot be asked. */
const STALE_MS = 24 * 60 * 60_000
/** How long a chain that gave no answer about a certificate is not asked about it again. */
const PAUSE_MS = 10_000

/** Nothing is known against the certificate. */
const UNANSWERED: ReadonlySet<IdentityErrorCode> = new Set<IdentityErrorCode>([
  'wallet-verification-unavailable',
  'chain-not-configured',
])

/** Null: the certificate is not one. `unverified`: the chain of the smart account gave no answer, or has no node here. */
export type Verdict = CertifiedDevice | null | 'unverified'

interface Known {
  verdict: Promise<Verdict>
  /** When it was asked for, Unix milliseconds. */
  at: number
  freshMs: number
}

/**
 * Verifies each certificate once: a wallet signature costs about 2 ms, and the same certificate rides on every frame. That of
 * a smart account is verified again from time to time, by asking its chain.
 */
export function createVerdicts(options: { trustedDomains: readonly string[]; verifyWallet: VerifyWallet }) {
  const { trustedDomains, verifyWallet } = options
  const known = new LRUCache<string, Known>({ max: CACHED_VERDICTS })

  async function ask(input: {
    wallet: string
    device: Uint8Array
    certificate: Uint8Array
  }): Promise<Verdict> {
    const { wallet, device, certificate } = input
    try {
      return await verifyCertificate(certificate, { wallet, device, trustedDomains, verifyWallet })
    } catch (error) {
      if (!(error instanceof IdentityError)) throw error
      return UNANSWERED.has(error.code) ? 'unverified' : null
    }
  }

  /** The verdict of before stands in for an answer that does not come, for a day. */
  async function askAgain(
    input: Parameters<typeof ask>[0],
    before: Known | undefined,
    entry: Known,
  ): Promise<Verdict> {
    const verdict = await ask(input)
    if (verdict !== 'unverified') return verdict
    entry.freshMs = PAUSE_MS
    const last = before && entry.at - before.at < STALE_MS ? await before.verdict : 'unverified'
    // It keeps its age: standing in does not make it younger.
    if (before && last !== 'unverified')
      known.set(keyOf(input), { ...before, freshMs: entry.at - before.at + PAUSE_MS })
    return last
  }

  return {
    /** Errors: none but those of the machine; a certificate that is not one is an answer. */
    of(
      input: { wallet: string; device: Uint8Array; certificate: Uint8Array },
      receivedAt: number,
    ): Promise<Verdict> {
      const key = keyOf(input)
      const before = known.get(key)
      if (before && receivedAt - before.at < before.freshMs) return before.verdict
      const freshMs = walletKind(input.wallet) === 'evm-contract' ? FRESH_MS : Number.POSITIVE_INFINITY
      const entry: Known = { verdict: Promise.resolve(null), at: receivedAt, freshMs }
      entry.verdict = askAgain(input, before, entry)
      known.set(key, entry)
      entry.verdict.catch(() => known.delete(key))
      return entry.verdict
    },
  }
}

function keyOf({
  wallet,
  device,
  certificate,
}: {
  wallet: string
  device: Uint8Array
  certificate: Uint8Array
}): string {
  return toHex(H('causeway/certificate-verdict/1', wallet, device, certificate))
}
