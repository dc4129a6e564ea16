/** Smart accounts on a test chain, with signers in the shape that the client library takes. */
import { AbiCoder } from 'ethers/abi'
import { getAddress } from 'ethers/address'
import { id } from 'ethers/hash'
import { Wallet } from 'ethers/wallet'
import { type Account, parseAccount, walletKeyOf } from '../caip.ts'
import type { TestChain } from './chain.ts'
import { ACCOUNT_FACTORY, HOSTILE_ACCOUNT, OWNED_ACCOUNT } from './contracts/bytecode.ts'

export interface SmartAccount {
  owner: Wallet
  address: string
  account: Account
  accountText: string
  wallet: string
  getAddress(): Promise<string>
  signMessage(message: string): Promise<string>
}

export interface CounterfactualAccount extends SmartAccount {
  deploy(): Promise<void>
  /** Wraps a signature with the call that deploys the account (ERC-6492). */
  wrap(signature: string): string
}

/** How `HostileAccount` answers. */
export const HOSTILE = ['reverts', 'garbage', 'short', 'huge', 'loops', 'offchain-lookup', 'writes'] as const

/** An owner from a fixed private key. */
export function testOwner(number: number): Wallet {
  return new Wallet(`0x${number.toString(16).padStart(64, '0')}`)
}

export function smartAccountAt(chain: TestChain, address: string, owner: Wallet): SmartAccount {
  const accountText = `eip155:${chain.chainId}:${address}`
  const account = parseAccount(accountText)
  return {
    owner,
    address,
    account,
    accountText,
    wallet: walletKeyOf(account, { smart: true }),
    getAddress: async () => address,
    signMessage: (message) => owner.signMessage(message),
  }
}

export async function deployAccount(chain: TestChain, owner: Wallet): Promise<SmartAccount> {
  return smartAccountAt(chain, await chain.deploy(OWNED_ACCOUNT, ['address'], [owner.address]), owner)
}

export async function deployHostile(
  chain: TestChain,
  owner: Wallet,
  how: (typeof HOSTILE)[number],
): Promise<SmartAccount> {
  const address = await chain.deploy(HOSTILE_ACCOUNT, ['uint256'], [HOSTILE.indexOf(how)])
  return smartAccountAt(chain, address, owner)
}

export async function rotateOwner(chain: TestChain, account: SmartAccount, next: Wallet): Promise<void> {
  await chain.transact({
    from: account.owner.address,
    to: account.address,
    signature: 'setOwner(address)',
    types: ['address'],
    values: [next.address],
  })
}

/** An account that its factory can deploy to a known address, and has not. */
export async function counterfactualAccount(
  chain: TestChain,
  owner: Wallet,
  saltText = 'salt',
): Promise<CounterfactualAccount> {
  const factory = await chain.deploy(ACCOUNT_FACTORY)
  const types = ['address', 'bytes32']
  const values = [owner.address, id(saltText)]
  const coder = AbiCoder.defaultAbiCoder()
  const word = await chain.transact({ to: factory, signature: 'addressOf(address,bytes32)', types, values })
  const create = 'create(address,bytes32)'
  const factoryCall = id(create).slice(0, 10) + coder.encode(types, values).slice(2)
  const wrap = (signature: string) =>
    coder.encode(['address', 'bytes', 'bytes'], [factory, factoryCall, signature]) + '6492'.repeat(16)
  return {
    ...smartAccountAt(chain, getAddress(`0x${word.slice(-40)}`), owner),
    signMessage: async (message) => wrap(await owner.signMessage(message)),
    wrap,
    async deploy() {
      await chain.transact({ to: factory, signature: create, types, values })
    },
  }
}
