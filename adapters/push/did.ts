/** Push's addresses: `eip155:0x<checksummed address>`, one for a wallet on all EVM chains. Pure functions. */
import { getAddress } from 'ethers/address'

const DID = /^eip155:0x[0-9a-fA-F]{40}$/
const WALLET_KEY = /^eip155:\*:(0x[0-9a-f]{40})$/

/** The DID of a hexadecimal address in any case. */
export function didOfAddress(address: string): string {
  return `eip155:${getAddress(address.toLowerCase())}`
}

/** The DID of a walletKey; null for smart accounts and other chains, whose Push accounts have keys of another kind. */
export function didOfWallet(wallet: string): string | null {
  const address = WALLET_KEY.exec(wallet)?.[1]
  return address === undefined ? null : didOfAddress(address)
}

/** Whether a text is a DID with the right checksum. The SDK compares DIDs letter by letter, so no other case will do. */
export function isDid(text: string): boolean {
  return DID.test(text) && didOfAddress(text.slice('eip155:'.length)) === text
}

/** The DID in any form that the service takes (bare address, with a chain id, any case); null when it is none. */
export function canonicalDid(text: string): string | null {
  const address = /^(?:eip155:(?:\d+:)?)?(0x[0-9a-fA-F]{40})$/.exec(text)?.[1]
  return address === undefined ? null : didOfAddress(address)
}

/** The address part of a DID. */
export function addressOfDid(did: string): string {
  return did.slice('eip155:'.length)
}

/** For logs, which hold no whole addresses. */
export function abridged(did: string): string {
  return did.length > 20 ? `${did.slice(0, 13)}…${did.slice(-4)}` : 'an account'
}
