import { expect, it } from 'vitest'
import { toBase64url } from '../envelope/index.ts'
import { createContractVerifier, createLenientVerifier } from '../identity/index.ts'
import { DOMAIN, nextEntry, START, signEntry, testDevice, testWallet } from '../identity/testing/wallets.ts'
import type { Api } from './api.ts'
import { createDirectory } from './directory.ts'
import { memoryStorage } from './storage.ts'

const owner = testWallet(1)
const smart = owner.accountText.toLowerCase()
const device = testDevice()

/** What the gateway answers about a wallet, and how often it was asked. */
function gatewayWith(answers: (path: string) => object): { api: Api; asked: string[] } {
  const asked: string[] = []
  const get = async (path: string) => {
    asked.push(decodeURIComponent(path))
    return answers(decodeURIComponent(path))
  }
  return { api: { get } as unknown as Api, asked }
}

async function plainLog() {
  const signed = await signEntry(owner, nextEntry(owner, [], device))
  return { wallet: owner.wallet, log: [{ ...signed, entry: toBase64url(signed.entry) }], prekeys: [] }
}

/** Keys of a smart account at the same address, which no chain was asked about. */
async function smartLog() {
  const entry = nextEntry({ ...owner, wallet: smart }, [], device)
  const signed = await signEntry({ ...owner, wallet: smart }, entry, { signer: testWallet(2).signer })
  return { wallet: smart, log: [{ ...signed, entry: toBase64url(signed.entry) }], prekeys: [] }
}

const directoryOver = (api: Api, storage = memoryStorage()) =>
  createDirectory({
    api,
    storage,
    trustedDomains: () => [DOMAIN],
    verifyWallet: createLenientVerifier(createContractVerifier({ chains: {} })),
    now: () => START + 1_000,
  })

it('asks once which kind an account is, however many want to know', async () => {
  const answer = await plainLog()
  const { api, asked } = gatewayWith(() => answer)
  const directory = directoryOver(api)
  const found = await Promise.all(Array.from({ length: 10 }, () => directory.resolve(owner.accountText)))
  expect(new Set(found)).toEqual(new Set([owner.wallet]))
  expect((await directory.peer(owner.wallet)).log.trust).toBe('verified')
  expect(asked).toHaveLength(1)
})

it('asks nothing where the text says it', async () => {
  const { api, asked } = gatewayWith(() => ({}))
  const directory = directoryOver(api)
  expect(await directory.resolve(owner.signer.address)).toBe(owner.wallet)
  expect(await directory.resolve(owner.wallet)).toBe(owner.wallet)
  expect(asked).toEqual([])
})

it('takes the gateway’s word for a smart account, and says so', async () => {
  const answer = await smartLog()
  const directory = directoryOver(gatewayWith(() => answer).api)
  expect(await directory.resolve(owner.accountText)).toBe(smart)
  expect((await directory.peer(smart)).log.trust).toBe('gateway')
})

it('keeps what a private key has signed, after a restart too, whatever the gateway shows later', async () => {
  const storage = memoryStorage()
  const honest = await plainLog()
  expect(await directoryOver(gatewayWith(() => honest).api, storage).resolve(owner.accountText)).toBe(
    owner.wallet,
  )
  const lie = await smartLog()
  const { api, asked } = gatewayWith(() => lie)
  const directory = directoryOver(api, storage)
  expect(await directory.resolve(owner.accountText)).toBe(owner.wallet)
  expect(asked).toEqual([])
  await expect(directory.peer(smart)).rejects.toMatchObject({ code: 'peer-not-trusted' })
})
