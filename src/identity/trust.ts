/** Decides which devices may sign for which wallets: by this gateway's key logs, and by certificates for strangers. */
import { LRUCache } from 'lru-cache'
import { H, toHex } from '../envelope/index.ts'
import type { IdentityStore } from '../store/port.ts'
import {
  type CertifiedDevice,
  certificateStatus,
  encodeCertificate,
  verifyCertificate,
} from './certificate.ts'
import { IdentityError } from './errors.ts'
import { type KeyLog, readKeyLog } from './key-log.ts'
import { ReadThrough } from './read-through.ts'
import type { DeviceTrust } from './types.ts'
import type { VerifyWallet } from './wallet-signature.ts'

const CACHED_LOGS = 10_000
const CACHED_VERDICTS = 20_000

export interface Trust extends DeviceTrust {
  keyLog(wallet: string): Promise<KeyLog>
  /** To be called when an entry was appended to the wallet's log. */
  forget(wallet: string): void
}

export function createTrust(options: {
  store: IdentityStore
  trustedDomains: readonly string[]
  verifyWallet: VerifyWallet
}): Trust {
  const { store, trustedDomains, verifyWallet } = options
  const logs = new ReadThrough({
    max: CACHED_LOGS,
    load: async (wallet) => readKeyLog(await store.keyLog(wallet), wallet),
  })
  const verdicts = new LRUCache<string, Promise<CertifiedDevice | null>>({ max: CACHED_VERDICTS })

  /** Verifies a certificate once: a wallet signature costs about 2 ms, and the same certificate rides on every frame. */
  function verdict(
    wallet: string,
    device: Uint8Array,
    certificate: Uint8Array,
  ): Promise<CertifiedDevice | null> {
    const key = toHex(H('causeway/certificate-verdict/1', wallet, device, certificate))
    const known = verdicts.get(key)
    if (known !== undefined) return known
    const verifying = verifyCertificate(certificate, { wallet, device, trustedDomains, verifyWallet }).catch(
      (error: unknown) => {
        if (error instanceof IdentityError) return null
        verdicts.delete(key)
        throw error
      },
    )
    verdicts.set(key, verifying)
    return verifying
  }

  return {
    keyLog: (wallet) => logs.get(wallet),
    forget: (wallet) => logs.forget(wallet),
    async deviceStatus({ wallet, device, certificate, receivedAt }) {
      const log = await logs.get(wallet)
      if (log.head !== null) return log.deviceStatus(device, receivedAt)
      if (certificate === null) return 'unknown'
      const certified = await verdict(wallet, device, certificate)
      return certified === null ? 'certificateInvalid' : certificateStatus(certified, receivedAt)
    },
    async certificateOf(wallet, device) {
      const signed = (await logs.get(wallet)).certificateEntry(device)
      return signed === null ? null : encodeCertificate(signed)
    },
  }
}
