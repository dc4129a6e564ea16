/** Decides which devices may sign for which wallets: by this gateway's key logs, and by certificates for strangers. */
import { LRUCache } from 'lru-cache'
import { H, toHex } from '../envelope/index.ts'
import type { IdentityStore, StoredKeyEntry } from '../store/port.ts'
import { walletKind } from './caip.ts'
import {
  type CertifiedDevice,
  certificateStatus,
  fittingCertificate,
  verifyCertificate,
} from './certificate.ts'
import { IdentityError } from './errors.ts'
import { type KeyLog, readKeyLog } from './key-log.ts'
import { ReadThrough } from './read-through.ts'
import type { DeviceTrust } from './types.ts'
import type { VerifyWallet } from './wallet-signature.ts'

const CACHED_LOGS = 10_000
const CACHED_VERDICTS = 20_000
/** How long the answer of a smart account about a certificate counts: its owner may change. */
const CONTRACT_VERDICT_MS = 15 * 60_000

/** A key log as it was checked, and as it is stored. */
export interface StoredKeyLog {
  log: KeyLog
  entries: readonly StoredKeyEntry[]
}

export interface Trust extends DeviceTrust {
  keyLog(wallet: string): Promise<StoredKeyLog>
  /** To be called when an entry was appended to its wallet's log. */
  appended(entry: StoredKeyEntry): void
  /** To be called when entries may have been appended to the wallet's log. */
  forget(wallet: string): void
}

export function createTrust(options: {
  store: IdentityStore
  trustedDomains: readonly string[]
  verifyWallet: VerifyWallet
}): Trust {
  const { store, trustedDomains, verifyWallet } = options
  const logs = new ReadThrough({ max: CACHED_LOGS, load })
  const verdicts = new LRUCache<string, Promise<CertifiedDevice | null>>({ max: CACHED_VERDICTS })

  async function load(wallet: string): Promise<StoredKeyLog> {
    const entries = await store.keyLog(wallet)
    return { log: readKeyLog(entries, wallet), entries }
  }

  /**
   * Verifies a certificate once: a wallet signature costs about 2 ms, and the same certificate rides on every frame. That of a
   * smart account is verified again from time to time. Rejects when the account's chain cannot be asked.
   */
  function verdict(
    wallet: string,
    device: Uint8Array,
    certificate: Uint8Array,
    receivedAt: number,
  ): Promise<CertifiedDevice | null> {
    const period = walletKind(wallet) === 'evm-contract' ? Math.floor(receivedAt / CONTRACT_VERDICT_MS) : 0
    const key = toHex(H('causeway/certificate-verdict/1', wallet, device, certificate, String(period)))
    const known = verdicts.get(key)
    if (known !== undefined) return known
    const verifying = verifyCertificate(certificate, { wallet, device, trustedDomains, verifyWallet }).catch(
      (error: unknown) => {
        if (error instanceof IdentityError && error.code !== 'wallet-verification-unavailable') return null
        verdicts.delete(key)
        throw error
      },
    )
    verdicts.set(key, verifying)
    return verifying
  }

  return {
    keyLog: (wallet) => logs.get(wallet),
    appended(entry) {
      // A log is decoded once and then grows: decoding it whole after each entry would cost more with every one.
      logs.update(entry.wallet, (known) => {
        const { log, entries } = known
        // It was read after the entry was stored.
        if (log.hashAt(entry.seq) !== null) return known
        if (entries.length !== entry.seq) return load(entry.wallet)
        return { log: log.extended(entry), entries: [...entries, entry] }
      })
    },
    forget: (wallet) => logs.forget(wallet),
    async deviceStatus({ wallet, device, certificate, receivedAt }) {
      const { log } = await logs.get(wallet)
      if (log.head !== null) return log.deviceStatus(device, receivedAt)
      if (certificate === null) return 'unknown'
      const certified = await verdict(wallet, device, certificate, receivedAt)
      return certified === null ? 'certificateInvalid' : certificateStatus(certified, receivedAt)
    },
    async certificateOf(wallet, device) {
      const signed = (await logs.get(wallet)).log.certificateEntry(device)
      return signed === null ? null : fittingCertificate(signed)
    },
  }
}
