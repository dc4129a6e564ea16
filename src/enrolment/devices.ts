/** The devices of a wallet, as what is sealed to it needs them. */
import { type DeviceKeys, toHex } from '../envelope/index.ts'
import type { StoredPrekey } from '../store/port.ts'

/** One key of each suite for each device: the first of `prekeys`, which come newest first. */
export function devicesOf(prekeys: readonly StoredPrekey[]): DeviceKeys[] {
  const devices = new Map<string, { suite: number; publicKey: Uint8Array }[]>()
  for (const { device, suite, publicKey } of prekeys) {
    const name = toHex(device)
    const known = devices.get(name) ?? []
    if (!known.some((prekey) => prekey.suite === suite)) known.push({ suite, publicKey })
    devices.set(name, known)
  }
  return [...devices.values()].map((own) => ({ prekeys: own }))
}
