/** Decides which devices may sign for which wallets: by this gateway's key logs, and by certificates for strangers. */
import type { IdentityStore, StoredKeyEntry } from '../store/port.ts'
import { certificateStatus, fittingCertificate } from './certificate.ts'
import { type KeyLog, readKeyLog } from './key-log.ts'
import { ReadThrough } from './read-through.ts'
import type { DeviceTrust } from './types.ts'
import { createVerdicts } from './verdicts.ts'
import type { VerifyWallet } from './wallet-signature.ts'

const CACHED_LOGS = 10_000

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
  const verdicts = createVerdicts({ trustedDomains, verifyWallet })

  async function load(wallet: string): Promise<StoredKeyLog> {
    const entries = await store.keyLog(wallet)
    return { log: readKeyLog(entries, wallet), entries }
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
      const verdict = await verdicts.of({ wallet, device, certificate }, receivedAt)
      if (verdict === 'unverified') return verdict
      return verdict === null ? 'certificateInvalid' : certificateStatus(verdict, receivedAt)
    },
    async certificateOf(wallet, device) {
      const signed = (await logs.get(wallet)).log.certificateEntry(device)
      return signed === null ? null : fittingCertificate(signed)
    },
  }
}
