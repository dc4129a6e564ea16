import { createHash } from 'node:crypto'

/** `sim:` and the first 16 bytes of SHA-256 over a tag and the walletKey, in hex. */
export function simulatorAddress(wallet: string): string {
  return `sim:${createHash('sha256').update(`causeway/simulator-address/1\n${wallet}`).digest('hex').slice(0, 32)}`
}

export function isSimulatorAddress(address: string): boolean {
  return /^sim:[0-9a-f]{32}$/.test(address)
}
