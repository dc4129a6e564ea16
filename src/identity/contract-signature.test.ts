import { AbiCoder } from 'ethers/abi'
import { hashMessage } from 'ethers/hash'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../envelope/index.ts'
import type { ChainError } from './chain-rpc.ts'
import { createContractVerifier } from './contract-signature.ts'
import { startTestChain, type TestChain, type Trouble } from './testing/chain.ts'
import { ACCEPTS_ALL } from './testing/contracts/bytecode.ts'
import {
  counterfactualAccount,
  deployAccount,
  deployHostile,
  HOSTILE,
  rotateOwner,
  type SmartAccount,
  testOwner,
} from './testing/smart-accounts.ts'
import { codeOf } from './testing/wallets.ts'
import { createLenientVerifier, createWalletVerifier } from './wallet-signature.ts'

const MESSAGE = 'A text to sign'
const owner = testOwner(11)
const stranger = testOwner(12)
let chain: TestChain
let reported: ChainError[] = []

const contractsOver = (settings: { timeoutMs?: number; maxInFlight?: number } = {}) =>
  createContractVerifier({
    chains: { [chain.chainId]: { rpcUrl: chain.url, ...settings } },
    report: (_chain, error) => reported.push(error),
  })
const verifierOver = (settings: { timeoutMs?: number } = {}) =>
  createWalletVerifier({ contracts: contractsOver(settings) })
const check = ({ wallet, account }: SmartAccount, signature: string, message = MESSAGE) =>
  verifierOver()({ wallet, account, message, signature })

beforeAll(async () => {
  chain = await startTestChain()
})

afterEach(() => {
  chain.trouble = null
  chain.claimedChainId = null
  reported = []
})

afterAll(() => chain?.stop())

describe('deployed smart accounts (ERC-1271)', () => {
  it('are asked, and the block is noted', async () => {
    const account = await deployAccount(chain, owner)
    const signature = await owner.signMessage(MESSAGE)
    expect(await check(account, signature)).toEqual({
      kind: 'contract',
      chainId: chain.chainId,
      blockNumber: expect.any(Number),
      signature,
    })
    expect(await check(account, await stranger.signMessage(MESSAGE))).toBeNull()
    expect(await check(account, signature, `${MESSAGE}.`)).toBeNull()
    expect(await check(account, '0x00')).toBeNull()
  })

  it('of one owner take each other’s signatures over a text without an address: the text must hold it', async () => {
    const [first, second] = [await deployAccount(chain, owner), await deployAccount(chain, owner)]
    const signature = await owner.signMessage(MESSAGE)
    expect(await check(first, signature)).not.toBeNull()
    expect(await check(second, signature)).not.toBeNull()
    const named = await owner.signMessage(`${MESSAGE} for ${first.accountText}`)
    expect(await check(second, named, `${MESSAGE} for ${second.accountText}`)).toBeNull()
  })

  it('may change their owner: what the one before signed is good at the blocks before only', async () => {
    const account = await deployAccount(chain, owner)
    const signature = await owner.signMessage(MESSAGE)
    const proof = await check(account, signature)
    const blockNumber = proof?.kind === 'contract' ? proof.blockNumber : -1
    await rotateOwner(chain, account, stranger)
    expect(await check(account, signature)).toBeNull()
    expect(await check(account, await stranger.signMessage(MESSAGE))).toMatchObject({ kind: 'contract' })

    const { wallet, account: read } = account
    const claim = (accepted: { blockNumber: number; at: number }) =>
      verifierOver()({ wallet, account: read, message: MESSAGE, signature, accepted })
    expect(await claim({ blockNumber, at: Date.now() })).toMatchObject({ kind: 'contract', blockNumber })
    expect(await claim({ blockNumber: blockNumber + 1, at: Date.now() })).toBeNull()
    // A text of another time does not become true by an old block.
    expect(await claim({ blockNumber, at: Date.now() + 3_600_000 })).toBeNull()
    chain.trouble = 'has-no-state'
    expect(await claim({ blockNumber, at: Date.now() })).toEqual({ kind: 'unchecked', signature })
  })

  it.each(HOSTILE)('that answer badly take nothing: %s', async (how) => {
    const account = await deployHostile(chain, owner, how)
    chain.asked.length = 0
    expect(await check(account, await owner.signMessage(MESSAGE))).toBeNull()
    expect(reported).toEqual([])
    // Nothing that it answers leads to another question.
    expect(chain.asked).toEqual(['eth_blockNumber', 'eth_call'])
  })

  it('have code: an address without any takes nothing', async () => {
    const [nowhere, precompile] = [testOwner(99).address, `0x${'00'.repeat(19)}01`]
    for (const address of [nowhere, precompile]) {
      const account = { ...(await deployAccount(chain, owner)), address }
      const verdict = await contractsOver().verify({
        chainId: chain.chainId,
        address,
        hash: hashMessage(MESSAGE),
        signature: await account.owner.signMessage(MESSAGE),
      })
      expect(verdict).toEqual({ outcome: 'no-code' })
    }
  })
})

describe('smart accounts that are not deployed yet (ERC-6492)', () => {
  it('are asked once their wrapper has deployed them, in the call alone', async () => {
    const account = await counterfactualAccount(chain, owner)
    const signature = await account.signMessage(MESSAGE)
    expect(await check(account, signature)).toMatchObject({ kind: 'counterfactual', signature })
    expect(await check(account, account.wrap(await stranger.signMessage(MESSAGE)))).toBeNull()
    expect(await check(account, signature, `${MESSAGE}.`)).toBeNull()
    // Nothing stays behind, and without the wrapper there is nobody to ask.
    expect(await check(account, await owner.signMessage(MESSAGE))).toBeNull()

    await account.deploy()
    expect(await check(account, signature)).toMatchObject({ kind: 'contract', signature })
    expect(await check(account, await owner.signMessage(MESSAGE))).toMatchObject({ kind: 'contract' })
  })

  it('are not brought about by a factory that deploys something else', async () => {
    const [own, others] = [
      await counterfactualAccount(chain, owner, 'a'),
      await counterfactualAccount(chain, stranger, 'b'),
    ]
    expect(await check(others, await own.signMessage(MESSAGE))).toBeNull()
  })

  it('are refused with a wrapper that cannot be read', async () => {
    const account = await counterfactualAccount(chain, owner)
    for (const inside of ['', '00', 'ff'.repeat(96)]) {
      const signature = `0x${inside}${'6492'.repeat(16)}`
      expect(await codeOf(() => check(account, signature))).toBe('wallet-signature-invalid')
    }
    expect(await codeOf(() => check(account, `0x${'00'.repeat(4_001)}`))).toBe('wallet-signature-invalid')
  })

  it('have wrappers that lead anywhere: whatever they hold, the answer is no', async () => {
    const account = await counterfactualAccount(chain, owner)
    const address = fc.oneof(
      fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => `0x${toHex(bytes)}`),
      fc.constantFrom(account.address, owner.address, `0x${'00'.repeat(19)}05`),
    )
    const bytes = fc.uint8Array({ maxLength: 300 }).map((content) => `0x${toHex(content)}`)
    await fc.assert(
      fc.asyncProperty(address, bytes, bytes, async (factory, factoryCall, inner) => {
        const wrapper = AbiCoder.defaultAbiCoder().encode(
          ['address', 'bytes', 'bytes'],
          [factory, factoryCall, inner],
        )
        expect(await check(account, `${wrapper}${'6492'.repeat(16)}`)).toBeNull()
      }),
      { numRuns: 40 },
    )
  })

  it('are refused with a typed error, or taken for somebody else’s, for any text as a signature', async () => {
    const account = await counterfactualAccount(chain, owner)
    const text = fc.oneof(
      fc.string(),
      fc.uint8Array({ maxLength: 400 }).map((content) => `0x${toHex(content)}`),
      fc.uint8Array({ maxLength: 400 }).map((content) => `0x${toHex(content)}${'6492'.repeat(16)}`),
    )
    await fc.assert(
      fc.asyncProperty(text, async (signature) => {
        const outcome = await check(account, signature).catch((error: { code: string }) => error.code)
        expect([null, 'wallet-signature-invalid']).toContain(outcome)
      }),
      { numRuns: 60 },
    )
  })
})

describe('accounts of private keys', () => {
  it('that delegate to a contract (EIP-7702) sign with their key, and no chain is asked', async () => {
    const code = await chain.deploy(ACCEPTS_ALL)
    await chain.setCode(owner.address, `0xef0100${code.slice(2)}`)
    chain.asked.length = 0
    const signature = await owner.signMessage(MESSAGE)
    const account = { namespace: 'eip155' as const, reference: chain.chainId, address: owner.address }
    const plain = `eip155:*:${owner.address.toLowerCase()}`
    const smart = `eip155:${chain.chainId}:${owner.address.toLowerCase()}`
    const verify = verifierOver()
    expect(await verify({ wallet: plain, account, message: MESSAGE, signature })).toMatchObject({
      kind: 'recovered',
    })
    expect(chain.asked).toEqual([])

    // The same address is never a contract as well, though its code takes every signature.
    for (const claimed of [signature, '0x1234']) {
      const act = () => verify({ wallet: smart, account, message: MESSAGE, signature: claimed })
      expect(await codeOf(act)).toBe('account-kind-mismatch')
    }
  })

  it('are told apart from undeployed contracts by the signature', async () => {
    const account = await counterfactualAccount(chain, owner)
    const wallet = `eip155:*:${account.address.toLowerCase()}`
    const signature = await account.signMessage(MESSAGE)
    const act = () => verifierOver()({ wallet, account: account.account, message: MESSAGE, signature })
    expect(await codeOf(act)).toBe('account-kind-mismatch')
  })
})

describe('a node', () => {
  const TROUBLES: Trouble[] = [
    'refuses',
    'cuts',
    'talks-nonsense',
    'floods',
    'redirects',
    'reverts',
    'limits',
  ]

  it.each(TROUBLES)('that %s says nothing against a signature', async (trouble) => {
    const account = await deployAccount(chain, owner)
    chain.trouble = trouble
    const signature = await owner.signMessage(MESSAGE)
    const error = await check(account, signature).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'wallet-verification-unavailable' })
    expect(reported).toHaveLength(1)
    expect(`${String(error)} ${String(reported[0])}`).not.toContain(chain.url)
    chain.trouble = null
    expect(await check(account, signature)).not.toBeNull()
  })

  it('that hangs is not waited for longer than configured, or than the caller wants', async () => {
    const { wallet, account } = await deployAccount(chain, owner)
    chain.trouble = 'hangs'
    const input = { wallet, account, message: MESSAGE, signature: await owner.signMessage(MESSAGE) }
    expect(await codeOf(() => verifierOver({ timeoutMs: 50 })(input))).toBe('wallet-verification-unavailable')
    const controller = new AbortController()
    const waiting = verifierOver()({ ...input, signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toMatchObject({
      code: 'wallet-verification-unavailable',
      cause: { message: 'enough' },
    })
  })

  it('of another chain is not believed', async () => {
    const account = await deployAccount(chain, owner)
    chain.claimedChainId = '1'
    expect(await codeOf(async () => check(account, await owner.signMessage(MESSAGE)))).toBe(
      'wallet-verification-unavailable',
    )
    expect(reported[0]?.code).toBe('chain-mismatch')
  })

  it('is asked by a bounded number at once, and others wait in a bounded line', async () => {
    const account = await deployAccount(chain, owner)
    const signature = await owner.signMessage(MESSAGE)
    const verify = createWalletVerifier({ contracts: contractsOver({ maxInFlight: 2 }) })
    const ask = () =>
      verify({ wallet: account.wallet, account: account.account, message: MESSAGE, signature })
    const outcomes = await Promise.allSettled(Array.from({ length: 30 }, ask))
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(12)
    expect(reported.every(({ code }) => code === 'chain-busy')).toBe(true)
    expect(await ask()).not.toBeNull()
  })

  it('is needed: without one a gateway refuses, and a client says that nobody here checked', async () => {
    const { wallet, account } = await deployAccount(chain, owner)
    const input = { wallet, account, message: MESSAGE, signature: await stranger.signMessage(MESSAGE) }
    const none = createContractVerifier({ chains: {} })
    expect(await codeOf(() => createWalletVerifier({ contracts: none })(input))).toBe('chain-not-configured')
    expect(await createLenientVerifier(none)(input)).toMatchObject({ kind: 'unchecked' })
    expect(await createLenientVerifier(contractsOver())(input)).toBeNull()
  })
})
