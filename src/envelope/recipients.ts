/** Which keys of its recipients' devices an envelope is sealed to. */
import { SUITE } from './header.ts'

/** A device as its prekeys are published. */
export interface DeviceKeys {
  /** At most one of each suite: the newest. */
  prekeys: readonly { suite: number; publicKey: Uint8Array }[]
}

/**
 * An X-Wing wrap takes 1.2 KB. With more wraps than this an envelope outgrows the smallest message of the networks
 * (TRTC: 12 KB after base64), so that X25519 is used.
 */
const MAX_XWING_WRAPS = 4

/** The best suite for which every device has a key; null when there is none. */
export function commonSuite(devices: readonly DeviceKeys[]): number | null {
  const all = (suite: number) =>
    devices.every(({ prekeys }) => prekeys.some((prekey) => prekey.suite === suite))
  if (devices.length <= MAX_XWING_WRAPS && all(SUITE.xwing)) return SUITE.xwing
  return all(SUITE.x25519) ? SUITE.x25519 : null
}

/** One key of the suite for each device, for `SealInput.recipients`. */
export function keysOfSuite(devices: readonly DeviceKeys[], suite: number): { publicKey: Uint8Array }[] {
  return devices.flatMap(({ prekeys }) => {
    const prekey = prekeys.find((candidate) => candidate.suite === suite)
    return prekey ? [{ publicKey: prekey.publicKey }] : []
  })
}
