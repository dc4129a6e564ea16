/** What the gateway takes and gives of prekeys. */
import { equalBytes, keyIdentifier, toHex, type VerifyEd25519 } from '../envelope/index.ts'
import type { StoredPrekey } from '../store/port.ts'
import { IdentityError } from './errors.ts'
import type { KeyLog } from './key-log.ts'
import { MAX_PREKEY_LIFE_MS, type SignedPrekey, verifyPrekey } from './prekey.ts'
import type { Session } from './types.ts'

/** A month of daily prekeys in two suites. */
const MAX_PREKEYS_AT_ONCE = 64

/**
 * Checks prekeys that a signed-in device publishes: they must be its own, signed by it, not over, and begin within 30 days
 * (a device may publish some days ahead). Errors: `prekey-foreign`, `prekey-lifetime`, those of `verifyPrekey`.
 */
export async function readPrekeys(
  prekeys: readonly SignedPrekey[],
  context: { session: Session; now: number; verifyDevice: VerifyEd25519 },
): Promise<StoredPrekey[]> {
  const { session, now, verifyDevice } = context
  if (prekeys.length > MAX_PREKEYS_AT_ONCE) {
    throw new IdentityError(
      'prekey-malformed',
      `At most ${MAX_PREKEYS_AT_ONCE} prekeys can be published at once`,
    )
  }
  const stored: StoredPrekey[] = []
  for (const signed of prekeys) {
    const prekey = await verifyPrekey(signed, verifyDevice)
    if (prekey.wallet !== session.wallet || !equalBytes(prekey.device, session.device)) {
      throw new IdentityError(
        'prekey-foreign',
        'A device publishes prekeys for itself alone; this one names another',
      )
    }
    if (prekey.notAfter <= now || prekey.notBefore > now + MAX_PREKEY_LIFE_MS) {
      throw new IdentityError(
        'prekey-lifetime',
        'The prekey is over already, or begins more than 30 days from now',
      )
    }
    const { bytes, signature } = signed
    stored.push({ ...prekey, keyId: keyIdentifier(prekey.publicKey), bytes, signature })
  }
  return stored
}

/**
 * The newest prekey of each suite of the devices that are certified at `now`: nobody should encrypt to a device that was
 * revoked or has lapsed, and older prekeys, valid for a month, are for senders that hold them already. `prekeys`: newest
 * first for each device and suite.
 */
export function currentPrekeys(prekeys: readonly StoredPrekey[], log: KeyLog, now: number): StoredPrekey[] {
  const taken = new Set<string>()
  return prekeys.filter(({ device, suite }) => {
    const key = `${toHex(device)} ${suite}`
    if (taken.has(key) || log.deviceStatus(device, now) !== 'certified') return false
    taken.add(key)
    return true
  })
}
