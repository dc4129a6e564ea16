/** Smart accounts and Solana wallets through a whole gateway, over HTTP, against contracts that a real EVM runs. */
import { ed25519 } from '@noble/curves/ed25519.js'
import { base58 } from '@scure/base'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Client,
  type ClientOptions,
  createClient,
  type Message,
  memoryStorage,
  readGateway,
  solanaSigner,
} from '../../src/client/index.ts'
import {
  generateDeviceKey,
  generateEncryptionKeyPair,
  SUITE,
  signerFromDeviceKey,
  toBase64url,
} from '../../src/envelope/index.ts'
import {
  DEVICE_CAPABILITIES,
  encodeKeyEntry,
  KEY_ENTRY_LIMITS,
  NO_ENTRY,
  signPrekey,
} from '../../src/identity/index.ts'
import { startTestChain, type TestChain } from '../../src/identity/testing/chain.ts'
import {
  counterfactualAccount,
  deployAccount,
  type SmartAccount,
  testOwner,
} from '../../src/identity/testing/smart-accounts.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let chain: TestChain
let gateway: TestGateway
/** A client that can ask the chain, and one that cannot. */
let asking: Client
let believing: Client

const ofAccount = (account: SmartAccount): Partial<ClientOptions> => ({
  signer: account,
  kind: 'evm-contract',
  chainId: chain.chainId,
})
const nodes = () => ({ [chain.chainId]: { rpcUrl: chain.url } })

beforeAll(async () => {
  chain = await startTestChain()
  gateway = await startTestGateway({
    networks: { trtc: 'sandbox', push: 'sandbox' },
    identity: { chains: nodes() },
    limits: { signInsPerMinute: 10_000 },
  })
  asking = await gateway.signIn({ chains: nodes() })
  believing = await gateway.signIn()
}, 120_000)

afterAll(async () => {
  await gateway?.stop()
  await chain?.stop()
}, 60_000)

async function received(client: Client, id: string): Promise<Message> {
  const entry = (await client.inbox({ limit: 200 })).find((candidate) => candidate.id === id)
  if (entry?.error) throw entry.error
  if (!entry?.message) throw new Error('the message is not in the inbox')
  return entry.message
}

async function keysAt(wallet: string): Promise<{ wallet: string; log: { proof: unknown }[] }> {
  const response = await fetch(`${gateway.url}/v1/wallets/${encodeURIComponent(wallet)}/keys`)
  return (await response.json()) as { wallet: string; log: { proof: unknown }[] }
}

describe('a smart account', () => {
  it('sends, and each peer is told who checked its wallet', async () => {
    const account = await deployAccount(chain, testOwner(31))
    const client = await gateway.signIn(ofAccount(account))
    expect(client.wallet).toBe(account.wallet)
    const sent = await client.send({ to: [asking.account, believing.account], text: 'from a contract' })
    expect(await received(asking, sent.id)).toMatchObject({
      from: account.wallet,
      text: 'from a contract',
      trust: 'verified',
    })
    expect(await received(believing, sent.id)).toMatchObject({ from: account.wallet, trust: 'gateway' })
    expect((await keysAt(account.accountText)).log[0]?.proof).toEqual({
      kind: 'contract',
      chainId: chain.chainId,
      blockNumber: expect.any(Number),
    })
  })

  it('receives what was sealed to keys that were checked, or allowed unchecked', async () => {
    const account = await counterfactualAccount(chain, testOwner(32), 'receives')
    const client = await gateway.signIn(ofAccount(account))
    const sent = await asking.send({ to: account.accountText, text: 'checked' })
    expect(sent.trust).toBe('verified')
    expect(await received(client, sent.id)).toMatchObject({
      text: 'checked',
      trust: 'verified',
      to: [account.wallet],
    })

    await expect(believing.send({ to: account.accountText, text: 'no' })).rejects.toMatchObject({
      code: 'peer-not-verified',
    })
    const allowing = await gateway.signIn({ allowGatewayTrust: true })
    const unchecked = await allowing.send({ to: account.wallet, text: 'unchecked' })
    expect(unchecked.trust).toBe('gateway')
    expect(await received(client, unchecked.id)).toMatchObject({ text: 'unchecked' })
    const answer = await client.send({ to: allowing.wallet, text: 'answer' })
    expect(await received(allowing, answer.id)).toMatchObject({ trust: 'gateway', text: 'answer' })
  })

  it('has the addresses of networks that take any wallet, and none where an address is a private key’s', async () => {
    const account = await deployAccount(chain, testOwner(33))
    const client = await gateway.signIn(ofAccount(account))
    expect((await client.lookUp()).endpoints.map(({ network }) => network)).toEqual(['trtc'])
  })

  it('is told apart from trouble with its chain, which can be tried again', async () => {
    const account = await deployAccount(chain, testOwner(34))
    const storage = memoryStorage()
    const client = await createClient({
      gateway: gateway.url,
      storage,
      signer: account,
      ...ofAccount(account),
    })
    chain.trouble = 'refuses'
    await expect(client.signIn()).rejects.toMatchObject({
      code: 'gateway-refused',
      status: 503,
      problem: 'wallet-verification-unavailable',
    })
    chain.trouble = null
    await client.signIn()
    const sent = await client.send({ to: asking.wallet, text: 'hello' })
    chain.trouble = 'cuts'
    await expect(received(asking, sent.id)).rejects.toMatchObject({ code: 'chain-unreachable' })
    chain.trouble = null
    expect((await received(asking, sent.id)).trust).toBe('verified')
  })

  it('is no way around the keys of an account that a private key controls', async () => {
    const victim = await gateway.signIn({ chainId: chain.chainId })
    const storage = memoryStorage()
    const signer = Wallet.createRandom()
    await (await gateway.signIn({ storage, signer })).send({ to: victim.account, text: 'honest' })
    const fetch = lyingAbout(victim.account, await forgedKeys(victim.account))
    const attempt = async (options: Partial<ClientOptions>) => {
      const client = await gateway.signIn({ fetch, ...options })
      return client.seal({ to: victim.account, text: 'secret' })
    }
    await expect(attempt({})).rejects.toMatchObject({ code: 'peer-not-verified' })
    await expect(attempt({ chains: nodes() })).rejects.toMatchObject({ code: 'peer-not-trusted' })
    // Who has seen the true keys knows better, also where the gateway's word is enough for smart accounts.
    expect((await attempt({ storage, signer, allowGatewayTrust: true })).trust).toBe('verified')
    await expect(attempt({ allowGatewayTrust: true })).resolves.toMatchObject({ trust: 'gateway' })
  })
})

/** What a dishonest gateway could show: a device of its own, certified by a signature that nobody made. */
async function forgedKeys(account: string): Promise<object> {
  const wallet = account.toLowerCase()
  const now = Date.now()
  const device = generateDeviceKey()
  const entry = encodeKeyEntry({
    ...{ wallet, seq: 0, prev: NO_ENTRY, action: 'add', addresses: {}, recovery: null },
    device: { publicKey: device.publicKey, label: 'phone' },
    ...{ notBefore: now, notAfter: now + KEY_ENTRY_LIMITS.lifeMs, capabilities: [...DEVICE_CAPABILITIES] },
    salt: new Uint8Array(16),
  })
  const { publicKey } = await generateEncryptionKeyPair(SUITE.x25519)
  const prekey = await signPrekey(
    {
      wallet,
      device: device.publicKey,
      suite: SUITE.x25519,
      publicKey,
      notBefore: now,
      notAfter: now + 86_400_000,
    },
    signerFromDeviceKey(device.privateKey),
  )
  const { domain } = await readGateway(gateway.url)
  return {
    wallet,
    log: [{ entry: toBase64url(entry), signature: `0x${'11'.repeat(65)}`, account, domain, proof: null }],
    prekeys: [{ bytes: toBase64url(prekey.bytes), signature: toBase64url(prekey.signature) }],
  }
}

function lyingAbout(account: string, keys: object): typeof fetch {
  const lies = [account, account.toLowerCase()].map((text) => `/${encodeURIComponent(text)}/keys`)
  return async (input, init) =>
    lies.some((end) => String(input).endsWith(end)) ? Response.json(keys) : fetch(input, init)
}

describe('a Solana wallet', () => {
  const seed = ed25519.utils.randomSecretKey()
  const signer = solanaSigner({
    address: base58.encode(ed25519.getPublicKey(seed)),
    signMessage: async (bytes) => ed25519.sign(bytes, seed),
  })

  it('signs in, sends, receives, and revokes its device', async () => {
    const client = await gateway.signIn({ signer, kind: 'solana-account' })
    expect(client.wallet).toMatch(/^solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:/)
    const sent = await client.send({ to: believing.account, text: 'gm' })
    expect(await received(believing, sent.id)).toMatchObject({
      from: client.wallet,
      text: 'gm',
      trust: 'verified',
    })
    const answer = await believing.send({ to: client.account, text: 'gn' })
    expect(answer.trust).toBe('verified')
    expect(await received(client, answer.id)).toMatchObject({ text: 'gn' })
    await client.revokeDevice()
    await expect(client.inbox()).rejects.toMatchObject({ code: 'not-signed-in' })
  })

  it('has a userID of TRTC that fits its limits, its credentials, and no address on EVM-only networks', async () => {
    const client = await gateway.signIn({ signer, kind: 'solana-account' })
    const { endpoints } = await client.lookUp()
    expect(endpoints).toEqual([
      expect.objectContaining({
        network: 'trtc',
        address: expect.stringMatching(/^[a-z2-7]{32}$/),
        enabled: true,
      }),
    ])
    expect(await client.credentials('trtc')).toMatchObject({ userId: endpoints[0]?.address })
    await expect(client.setEndpoint('push', { enabled: true })).rejects.toMatchObject({
      problem: 'endpoint-address-invalid',
    })
  })
})
