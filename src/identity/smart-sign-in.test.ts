/** Sign-in with smart accounts: an identity service over a real store, and a chain that runs contracts. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { base58 } from '@scure/base'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { toHex, utf8Encode } from '../envelope/index.ts'
import { MAX_CERTIFICATE_BYTES, verifyCertificate } from './certificate.ts'
import { createContractVerifier } from './contract-signature.ts'
import { verifyKeyLog } from './key-log.ts'
import { createIdentity } from './service.ts'
import { startTestChain, type TestChain } from './testing/chain.ts'
import { startTestGateway, type TestGateway } from './testing/gateway.ts'
import {
  counterfactualAccount,
  deployAccount,
  rotateOwner,
  type SmartAccount,
  smartAccountAt,
  testOwner,
} from './testing/smart-accounts.ts'
import { codeOf, DAY, DOMAIN, START, testDevice } from './testing/wallets.ts'
import type { Identity } from './types.ts'
import { createLenientVerifier, createWalletVerifier } from './wallet-signature.ts'

const HOUR = 60 * 60_000
const owner = testOwner(21)
const heir = testOwner(22)
let chain: TestChain
let gateway: TestGateway
let identity: Identity

const contractsOf = (chains: TestChain[]) =>
  createContractVerifier({
    chains: Object.fromEntries(chains.map(({ chainId, url }) => [chainId, { rpcUrl: url }])),
  })

beforeAll(async () => {
  chain = await startTestChain()
})

afterAll(() => chain?.stop())

beforeEach(async () => {
  gateway = await startTestGateway({ contracts: contractsOf([chain]) })
  identity = gateway.identity
})

afterEach(async () => {
  chain.trouble = null
  await gateway.close()
})

async function challenge(account: SmartAccount, device = testDevice(), action: 'add' | 'revoke' = 'add') {
  const { accountText: wallet } = account
  return identity.challenge({ wallet, kind: 'evm-contract', device, action })
}

async function signIn(account: SmartAccount, device = testDevice(), action: 'add' | 'revoke' = 'add') {
  const { challengeId, message } = await challenge(account, device, action)
  return identity.verify({ challengeId, signature: await account.signMessage(message) })
}

/** A gateway that has never met the wallets of the first. */
const startOther = () =>
  startTestGateway({ domain: 'other.example', trustedDomains: [DOMAIN], contracts: contractsOf([chain]) })

const verifyOptions = (wallet: string) => ({ wallet, trustedDomains: [DOMAIN], now: gateway.now() })

describe('a smart account', () => {
  it('signs in on its chain, certifies and revokes, and each signature has its block', async () => {
    const account = await deployAccount(chain, owner)
    const device = testDevice()
    const { wallet, token } = await signIn(account, device)
    expect(wallet).toBe(`eip155:${chain.chainId}:${account.address.toLowerCase()}`)
    expect(await identity.authenticate(token!)).toMatchObject({ wallet, account: account.accountText })
    await signIn(account, device, 'revoke')
    const { log } = await gateway.restarted().keys(wallet)
    expect(log.map(({ action, proof }) => [action, proof])).toEqual(
      ['add', 'revoke'].map((action) => [
        action,
        { kind: 'contract', chainId: chain.chainId, blockNumber: expect.any(Number) },
      ]),
    )
    expect(await identity.authenticate(token!)).toBeNull()
  })

  it('signs in before it is deployed, and goes on afterwards', async () => {
    const account = await counterfactualAccount(chain, owner, 'sign-in')
    const device = testDevice()
    const first = await signIn(account, device)
    const [entry] = (await identity.keys(first.wallet)).log
    expect(entry!.proof?.kind).toBe('counterfactual')
    await account.deploy()
    expect((await signIn(account, device)).wallet).toBe(first.wallet)
    // The certificate with the wrapper still stands: the same signature is good after the deployment.
    expect((await identity.keys(first.wallet)).log).toHaveLength(1)
    const verifyWallet = createWalletVerifier({ contracts: contractsOf([chain]) })
    expect((await verifyKeyLog([entry!], { ...verifyOptions(first.wallet), verifyWallet })).trust).toBe(
      'verified',
    )
  })

  it('has a text with its address and chain: what its owner signs for it is good for no sibling', async () => {
    const [account, sibling] = [await deployAccount(chain, owner), await deployAccount(chain, owner)]
    const device = testDevice()
    const { message } = await challenge(account, device)
    expect(message).toContain(`\n${account.address}\n`)
    expect(message).toContain(`\nChain ID: ${chain.chainId}\n`)
    expect(message).toContain(`/v1/wallets/${account.wallet}/keys\n`)
    const other = await challenge(sibling, device)
    const act = async () =>
      identity.verify({ challengeId: other.challengeId, signature: await owner.signMessage(message) })
    expect(await codeOf(act)).toBe('wallet-signature-invalid')
  })

  it('is another wallet on another chain, and its signatures do not go over', async () => {
    const second = await startTestChain('137')
    try {
      const both = gateway.restarted({ contracts: contractsOf([chain, second]) })
      const here = await deployAccount(chain, owner)
      // The same address there, with another owner.
      await second.setCode(here.address, '0x00')
      const there = smartAccountAt(second, here.address, heir)
      const device = testDevice()
      const [one, two] = await Promise.all(
        [here, there].map(({ accountText }) =>
          both.challenge({ wallet: accountText, kind: 'evm-contract', device }),
        ),
      )
      expect(there.wallet).not.toBe(here.wallet)
      const signature = await owner.signMessage(one!.message)
      const act = () => both.verify({ challengeId: two!.challengeId, signature })
      expect(await codeOf(act)).toBe('wallet-signature-invalid')
      expect((await both.verify({ challengeId: one!.challengeId, signature })).wallet).toBe(here.wallet)
    } finally {
      await second.stop()
    }
  })

  it('is refused with a wrong signer, and where its chain has no node', async () => {
    const account = await deployAccount(chain, owner)
    expect(await codeOf(() => signIn({ ...account, signMessage: (text) => heir.signMessage(text) }))).toBe(
      'wallet-signature-invalid',
    )
    const elsewhere = { ...account, accountText: `eip155:10:${account.address}` }
    expect(await codeOf(() => challenge(elsewhere))).toBe('chain-not-configured')
    expect(await codeOf(() => challenge({ ...account, accountText: account.address }))).toBe(
      'account-kind-mismatch',
    )
  })

  it('waits for a node in trouble with the same challenge, however often', async () => {
    const account = await deployAccount(chain, owner)
    const { challengeId, message } = await challenge(account)
    const signature = await account.signMessage(message)
    chain.trouble = 'refuses'
    for (let attempt = 0; attempt < 7; attempt++) {
      expect(await codeOf(() => identity.verify({ challengeId, signature }))).toBe(
        'wallet-verification-unavailable',
      )
    }
    chain.trouble = null
    expect((await identity.verify({ challengeId, signature })).token).not.toBeNull()
  })
})

describe('when the owner of a smart account changes', () => {
  it('a certificate of the owner before does not stand at the next sign-in', async () => {
    const account = await deployAccount(chain, owner)
    const device = testDevice()
    await signIn(account, device)
    await rotateOwner(chain, account, heir)
    const inherited = { ...account, signMessage: (text: string) => heir.signMessage(text) }
    expect(await codeOf(() => signIn(account, device))).toBe('wallet-signature-invalid')
    const renewed = await signIn(inherited, device)
    const { log } = await identity.keys(account.wallet)
    expect(log).toHaveLength(2)
    // It is found in the chain that the first was good at its time: the log as a whole still verifies.
    const verifyWallet = createWalletVerifier({ contracts: contractsOf([chain]) })
    const options = { ...verifyOptions(account.wallet), verifyWallet }
    const dated = { ...log[0]!.proof!, blockNumber: log[1]!.proof!.blockNumber }
    expect(await codeOf(() => verifyKeyLog([{ ...log[0]!, proof: dated }, log[1]!], options))).toBe(
      'wallet-signature-invalid',
    )
    expect(renewed.wallet).toBe(account.wallet)
  })

  it('other gateways take the certificates of the new one only, and find out within the hour', async () => {
    const account = await deployAccount(chain, owner)
    const device = testDevice()
    const { certificate, wallet } = await signIn(account, device)
    expect(certificate!.length).toBeLessThanOrEqual(MAX_CERTIFICATE_BYTES)
    const other = await startOther()
    try {
      const status = (receivedAt: number) =>
        other.identity.deviceStatus({ wallet, device: device.publicKey, certificate, receivedAt })
      expect(await status(START)).toBe('certified')
      await rotateOwner(chain, account, heir)
      expect(await status(START + HOUR)).toBe('certificateInvalid')
    } finally {
      await other.close()
    }
  })

  it('a chain that cannot be asked leaves other gateways with what they knew, for a day', async () => {
    const account = await deployAccount(chain, owner)
    const [known, fresh] = [testDevice(), testDevice()]
    const certificates = new Map<typeof known, Uint8Array | null>()
    for (const device of [known, fresh]) certificates.set(device, (await signIn(account, device)).certificate)
    const other = await startOther()
    const status = (device: typeof known, receivedAt: number) =>
      other.identity.deviceStatus({
        ...{ wallet: account.wallet, device: device.publicKey, receivedAt },
        certificate: certificates.get(device)!,
      })
    try {
      expect(await status(known, START)).toBe('certified')
      chain.trouble = 'refuses'
      chain.asked.length = 0
      for (const hours of [1, 2, 23]) expect(await status(known, START + hours * HOUR)).toBe('certified')
      expect(chain.asked).toHaveLength(3)
      expect(await status(known, START + 23 * HOUR + 5_000)).toBe('certified')
      expect(await status(fresh, START + 23 * HOUR)).toBe('unverified')
      expect(await status(fresh, START + 23 * HOUR + 5_000)).toBe('unverified')
      expect(chain.asked).toHaveLength(4)
      expect(await status(known, START + 25 * HOUR)).toBe('unverified')
      chain.trouble = null
      for (const device of [known, fresh]) expect(await status(device, START + 26 * HOUR)).toBe('certified')
      const bare = other.restarted({ contracts: contractsOf([]) })
      const input = { wallet: account.wallet, device: known.publicKey, certificate: certificates.get(known)! }
      expect(await bare.deviceStatus({ ...input, receivedAt: START })).toBe('unverified')
    } finally {
      await other.close()
    }
  })
})

describe('one address', () => {
  it('is a private key’s or a contract’s, never both', async () => {
    const account = await deployAccount(chain, owner)
    await signIn(account)
    const plain = { wallet: account.accountText, device: testDevice() }
    expect(await codeOf(() => identity.challenge(plain))).toBe('account-kind-mismatch')
    expect(await codeOf(() => identity.challenge({ ...plain, wallet: account.address }))).toBe(
      'account-kind-mismatch',
    )

    const { challengeId, message } = await identity.challenge({ ...plain, wallet: owner.address })
    await identity.verify({ challengeId, signature: await owner.signMessage(message) })
    expect(await codeOf(() => challenge(smartAccountAt(chain, owner.address, owner)))).toBe(
      'account-kind-mismatch',
    )
  })

  it('is found as what has signed in with it', async () => {
    const account = await deployAccount(chain, owner)
    const plain = `eip155:*:${account.address.toLowerCase()}`
    expect(await identity.findWallet(account.accountText)).toBe(plain)
    await signIn(account)
    expect(await identity.findWallet(account.accountText)).toBe(account.wallet)
    expect(await identity.findWallet(account.address)).toBe(plain)
    expect(await identity.findWallet(`eip155:1:${account.address}`)).toBe(plain)
  })
})

describe('a key log of a smart account', () => {
  it('is marked by clients that cannot ask its chain', async () => {
    const account = await deployAccount(chain, owner)
    const device = testDevice()
    const { certificate } = await signIn(account, device)
    const { log } = await identity.keys(account.wallet)
    const options = verifyOptions(account.wallet)
    const without = createLenientVerifier(createContractVerifier({ chains: {} }))
    expect((await verifyKeyLog(log, { ...options, verifyWallet: without })).trust).toBe('gateway')
    const asking = createLenientVerifier(contractsOf([chain]))
    expect((await verifyKeyLog(log, { ...options, verifyWallet: asking })).trust).toBe('verified')
    const certified = { ...options, device: device.publicKey, verifyWallet: without }
    expect((await verifyCertificate(certificate!, certified)).trust).toBe('gateway')

    const forged = { ...log[0]!, signature: `0x${'11'.repeat(65)}` }
    expect(await codeOf(() => verifyKeyLog([forged], { ...options, verifyWallet: asking }))).toBe(
      'wallet-signature-invalid',
    )
  })

  it('goes on where a signature is too long for a certificate', async () => {
    const account = await counterfactualAccount(chain, owner, 'long')
    const padded = async (text: string) => {
      const wrapped = await account.signMessage(text)
      return `${wrapped.slice(0, -64)}${'00'.repeat(900)}${wrapped.slice(-64)}`
    }
    const device = testDevice()
    const { certificate, wallet } = await signIn({ ...account, signMessage: padded }, device)
    expect(certificate).toBeNull()
    expect(await identity.certificateOf(wallet, device.publicKey)).toBeNull()
    const known = { wallet, device: device.publicKey, certificate: null, receivedAt: gateway.now() }
    expect(await identity.deviceStatus(known)).toBe('certified')
    expect(await identity.deviceStatus({ ...known, receivedAt: START + 31 * DAY })).toBe('expired')
  })
})

describe('a Solana account', () => {
  const seed = new Uint8Array(32).fill(9)
  const address = base58.encode(ed25519.getPublicKey(seed))
  const wallet = `solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:${address}`
  const sign = (text: string) => `0x${toHex(ed25519.sign(utf8Encode(text), seed))}`

  it('signs in, certifies and revokes', async () => {
    const device = testDevice()
    const { challengeId, message } = await identity.challenge({ wallet, device })
    expect(message).toContain(`wants you to sign in with your Solana account:\n${address}\n`)
    const signedIn = await identity.verify({ challengeId, signature: sign(message) })
    expect(signedIn.wallet).toBe(wallet)
    const options = { ...verifyOptions(wallet), device: device.publicKey }
    expect(await verifyCertificate(signedIn.certificate!, options)).toMatchObject({
      wallet,
      trust: 'verified',
    })
    const end = await identity.challenge({ wallet, device, kind: 'solana-account', action: 'revoke' })
    await identity.verify({ challengeId: end.challengeId, signature: sign(end.message) })
    const { log } = await identity.keys(wallet)
    expect(log.map(({ action, proof }) => [action, proof])).toEqual([
      ['add', null],
      ['revoke', null],
    ])
    expect((await verifyKeyLog(log, verifyOptions(wallet))).trust).toBe('verified')
  })

  it('is refused with another key, text or kind', async () => {
    const { challengeId, message } = await identity.challenge({ wallet, device: testDevice() })
    for (const signature of [
      sign(`${message} `),
      `0x${toHex(ed25519.sign(utf8Encode(message), new Uint8Array(32)))}`,
    ]) {
      expect(await codeOf(() => identity.verify({ challengeId, signature }))).toBe('wallet-signature-invalid')
    }
    const act = () => identity.challenge({ wallet, device: testDevice(), kind: 'evm-contract' })
    expect(await codeOf(act)).toBe('account-kind-mismatch')
  })
})

it('without any chain, smart accounts are refused before they are asked to sign', async () => {
  const bare = createIdentity({
    ...{ store: gateway.store, networks: gateway.networks, domain: DOMAIN, trustedDomains: [] },
    clock: { now: () => START },
    random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
    ...{ sessionTtlMs: DAY, challengeTtlMs: DAY },
    defaultRoute: { policy: 'mirror', order: ['fast'], fallbackAfterMs: 0 },
  })
  const wallet = `eip155:1:${owner.address}`
  const act = () => bare.challenge({ wallet, kind: 'evm-contract', device: testDevice() })
  expect(await codeOf(act)).toBe('chain-not-configured')
})
