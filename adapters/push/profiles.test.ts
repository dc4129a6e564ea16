/** Whose keys are taken: those that the wallet signed, and never earlier ones again. */
import { createHash } from 'node:crypto'
import { Wallet } from 'ethers'
import { beforeEach, expect, it } from 'vitest'
import type { AdapterStorage } from '../../src/adapter/index.ts'
import { createRecordingContext, createVirtualClock } from '../../src/adapter/testing/index.ts'
import { didOfAddress } from './did.ts'
import { PushError } from './errors.ts'
import { createProfiles, type Profiles } from './profiles.ts'
import type { RestClient } from './rest.ts'

const { signal } = new AbortController()
const wallet = Wallet.createRandom()
const did = didOfAddress(wallet.address)
const clock = createVirtualClock(1_000_000)
const storage: AdapterStorage = createRecordingContext().storage
let answer: unknown
let asked: number
let profiles: Profiles

function make(with_: AdapterStorage): Profiles {
  const rest: RestClient = {
    call: async () => ({ status: 200, body: answer }),
    async get(_path, schema) {
      asked++
      return schema.parse(answer)
    },
    clockOffsetMs: () => null,
  }
  const { log } = createRecordingContext()
  return createProfiles({ rest, storage: with_, clock, log, cacheMs: 60_000 })
}

async function profileOf(signer: { signMessage(text: string): Promise<string> }, key: string) {
  const claim = { caip10: did, did, publicKey: `{"key":"${key}"}`, encryptedPrivateKey: '{"version":"x"}' }
  const hash = createHash('sha256').update(JSON.stringify(claim)).digest('hex')
  const verificationProof = `eip191v2:${await signer.signMessage(hash)}`
  return { ...claim, wallets: did, verificationProof, msgSent: 1 }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'taken',
    (error: unknown) => (error instanceof PushError ? error.code : String(error)),
  )
}

beforeEach(() => {
  asked = 0
  profiles = make(createRecordingContext().storage)
})

it('takes signed keys, and asks again only after a while', async () => {
  answer = await profileOf(wallet, 'first')
  expect(await profiles.lookUp(did, signal)).toEqual(answer)
  const copy = (await profiles.lookUp(did, signal)) as Record<string, unknown>
  copy.publicKey = 'changed by the SDK'
  expect(await profiles.lookUp(did, signal)).toEqual(answer)
  expect(asked).toBe(1)
  await clock.advance(60_001)
  await profiles.lookUp(did, signal)
  expect(asked).toBe(2)
})

it.each(['nobody', 'without keys'])('does not remember %s', async (what) => {
  answer = what === 'nobody' ? null : { did, wallets: did, publicKey: '', encryptedPrivateKey: '' }
  expect(await codeOf(profiles.lookUp(did, signal))).toBe('wallet-without-keys')
  answer = await profileOf(wallet, 'made meanwhile')
  expect(await codeOf(profiles.lookUp(did, signal))).toBe('taken')
})

it('refuses what the wallet did not sign as it stands', async () => {
  const genuine = await profileOf(wallet, 'genuine')
  const wrong: Record<string, unknown>[] = [
    { publicKey: '{"key":"substituted"}' },
    { encryptedPrivateKey: '{}' },
    { wallets: `${did},${did}` },
    { did: didOfAddress(Wallet.createRandom().address) },
    { verificationProof: '' },
    { verificationProof: null },
    { verificationProof: genuine.verificationProof.replace('eip191v2', 'eip191') },
    { verificationProof: `${genuine.verificationProof}:1` },
    { verificationProof: 'eip191v2:0x00' },
    await profileOf(Wallet.createRandom(), 'genuine'),
  ]
  for (const change of wrong) {
    answer = { ...genuine, ...change }
    expect(await codeOf(profiles.lookUp(did, signal)), JSON.stringify(change)).toBe('key-unverified')
  }
  expect(profiles.refusals()).toEqual({ 'key-unverified': wrong.length })
})

it('takes newer signed keys, and never earlier ones again, across a restart', async () => {
  const [first, second] = [await profileOf(wallet, 'first'), await profileOf(wallet, 'second')]
  for (const [next, expected] of [
    [first, 'taken'],
    [second, 'taken'],
    [first, 'key-reverted'],
    [second, 'taken'],
  ] as const) {
    answer = next
    expect(await codeOf(make(storage).lookUp(did, signal))).toBe(expected)
  }
  expect(await make(storage).isPinned(did)).toBe(true)
  expect(await profiles.isPinned(did)).toBe(false)
})
