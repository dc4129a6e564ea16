/** Wallets, devices and signed entries for tests. */
import { Wallet } from 'ethers/wallet'
import { generateDeviceKey } from '../../envelope/index.ts'
import { type Account, parseAccount, walletKeyOf } from '../caip.ts'
import {
  DEVICE_CAPABILITIES,
  encodeKeyEntry,
  KEY_ENTRY_LIMITS,
  type KeyEntry,
  keyEntryHash,
  NO_ENTRY,
} from '../key-entry.ts'
import type { SignedKeyEntry } from '../key-log.ts'
import { composeMessage } from '../message.ts'

export const DOMAIN = 'gateway.example'
export const START = Date.UTC(2026, 0, 15, 12)
export const DAY = 24 * 60 * 60 * 1000

export interface TestWallet {
  signer: Wallet
  account: Account
  accountText: string
  wallet: string
}

/** A wallet from a fixed private key: `testWallet(1)` is the same in every run. */
export function testWallet(number: number, chain = 1): TestWallet {
  const signer = new Wallet(`0x${number.toString(16).padStart(64, '0')}`)
  const accountText = `eip155:${chain}:${signer.address}`
  const account = parseAccount(accountText)
  return { signer, account, accountText, wallet: walletKeyOf(account) }
}

export function testDevice(label = 'Test phone'): {
  publicKey: Uint8Array
  privateKey: Uint8Array
  label: string
} {
  return { ...generateDeviceKey(), label }
}

/** Fields of the entry that follows `log`; `changes` makes it a bad one. */
export function nextEntry(
  owner: TestWallet,
  log: readonly SignedKeyEntry[],
  device: { publicKey: Uint8Array; label: string },
  changes: Partial<KeyEntry> = {},
): KeyEntry {
  const last = log.at(-1)
  const { publicKey, label } = device
  const notBefore = START + log.length * 1000
  return {
    wallet: owner.wallet,
    seq: log.length,
    prev: last === undefined ? NO_ENTRY : keyEntryHash(last.entry),
    action: 'add',
    device: { publicKey, label },
    notBefore,
    notAfter: notBefore + KEY_ENTRY_LIMITS.lifeMs,
    capabilities: changes.action === 'revoke' ? [] : [...DEVICE_CAPABILITIES],
    addresses: {},
    recovery: null,
    salt: crypto.getRandomValues(new Uint8Array(16)),
    ...changes,
  }
}

/** Signs an entry as its wallet would. */
export async function signEntry(
  owner: TestWallet,
  entry: KeyEntry,
  options: { domain?: string; signer?: Wallet } = {},
): Promise<SignedKeyEntry> {
  const { domain = DOMAIN, signer = owner.signer } = options
  const bytes = encodeKeyEntry(entry)
  const message = composeMessage({ domain, account: owner.account, entry: bytes })
  return { entry: bytes, signature: await signer.signMessage(message), account: owner.accountText, domain }
}

/** A log of `add` and `revoke` steps, e.g. `[['add', phone], ['revoke', phone]]`. */
export async function signedLog(
  owner: TestWallet,
  steps: readonly (readonly ['add' | 'revoke', { publicKey: Uint8Array; label: string }])[],
): Promise<SignedKeyEntry[]> {
  const log: SignedKeyEntry[] = []
  for (const [action, device] of steps)
    log.push(await signEntry(owner, nextEntry(owner, log, device, { action })))
  return log
}

/** The code with which `act` refuses; fails when it does not refuse. */
export async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act()
  } catch (error) {
    return (error as { code?: string }).code ?? `not typed: ${String(error)}`
  }
  throw new Error('was not refused')
}
