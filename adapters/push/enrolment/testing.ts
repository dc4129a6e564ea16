/** Enrolled wallets for tests. */
import { randomBytes } from 'node:crypto'
import type { EnrolmentFacet, NativeInbound, NativeIntent } from '../../../src/adapter/index.ts'
import { systemClock } from '../../../src/adapter/index.ts'
import { createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { writeContent } from '../../../src/content/index.ts'
import { createProfiles } from '../profiles.ts'
import { createRestClient } from '../rest.ts'
import { type PushSandbox, type PushSandboxOptions, startSandbox } from '../sandbox/index.ts'
import type { PushUser } from '../sandbox/sdk-user.ts'
import { createSdkHost } from '../sdk/host.ts'
import { neverAborted, startAdapter, startUser, type TestAdapter } from '../testing.ts'
import { createEnrolledAccount } from './account.ts'

export type User = Awaited<ReturnType<typeof startUser>>

/** What is to be ended after each test, last first. */
export const endings: (() => Promise<unknown>)[] = []

export async function endAll(): Promise<void> {
  for (const end of endings.splice(0).reverse()) await end()
}

export async function setUp(options: PushSandboxOptions = {}) {
  const sandbox = await startSandbox(options)
  endings.push(() => sandbox.stop())
  const user = async () => {
    const started = await startUser(sandbox, { acceptRequests: false })
    endings.push(() => started.close())
    return started
  }
  return { sandbox, alice: await user(), bob: await user(), user }
}

/** A gateway that Alice has enrolled. */
export async function enrolled(sandbox: PushSandbox, alice: User) {
  const test = await startAdapter({ ...sandbox.gatewayConfig, profileCacheMs: 0, reconnectMaxMs: 500 })
  endings.push(() => test.stop())
  await test.connected()
  const facet = test.adapter.enrolment as EnrolmentFacet
  const id = randomBytes(16).toString('hex')
  const address = alice.did.slice('eip155:'.length)
  const account = { kind: 'evm-account', address, chainId: 1 } as const
  const request = { id, wallet: alice.wallet, account, secret: new Uint8Array(32) }
  const { text } = await facet.begin(request, neverAborted)
  const signature = await alice.signer.signMessage(text)
  const completion = { id, signature, chainId: null, handover: await keyOf(alice) }
  const { secret } = await facet.complete(completion, neverAborted)
  await waitFor(() => states(test, id).includes('connected'), { what: 'the line', timeoutMs: 60_000 })
  return { test, facet, id, secret: secret ?? new Uint8Array(), account }
}

export const states = ({ context }: TestAdapter, id: string) =>
  context.enrolmentStates.filter((entry) => entry.id === id).map(({ report }) => report.state)

export async function keyOf(user: PushUser): Promise<Uint8Array> {
  const { decryptedPgpPrivateKey } = (await user.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  return new TextEncoder().encode(decryptedPgpPrivateKey)
}

export function intentOf(enrolment: string, to: NativeIntent['to'], text: string): NativeIntent {
  return {
    enrolment,
    transactionId: randomBytes(16).toString('hex'),
    envelopeId: Uint8Array.from(randomBytes(32)),
    to,
    content: writeContent({ kind: 'text', text }),
    reference: null,
    replaces: null,
    silent: false,
    attempt: 1,
  }
}

export const textOf = ({ content }: NativeInbound) => new TextDecoder().decode(content.bytes)
export const heard = ({ context }: TestAdapter) => context.natives.map(({ inbound }) => textOf(inbound))

export async function walked(facet: EnrolmentFacet, enrolment: string): Promise<string[]> {
  const texts: string[] = []
  await walkInto(texts, facet, enrolment)
  return texts
}

/** For what a walk gives before it fails. */
export async function walkInto(texts: string[], facet: EnrolmentFacet, enrolment: string): Promise<void> {
  for await (const inbound of facet.walk({ enrolment, since: 0 }, neverAborted)) texts.push(textOf(inbound))
}

export const copies = (user: PushUser, text: string) =>
  user.messages.filter(({ content }) => content === text).length

/** Accounts at a sandbox with a thread of the SDK, without an adapter. */
export function createAccounts(sandbox: PushSandbox) {
  const context = createRecordingContext()
  endings.push(() => context.dispose())
  const { storage, log } = context
  const rest = createRestClient({
    baseUrl: String(sandbox.addresses.rest),
    timeoutMs: 30_000,
    clock: systemClock,
    observe: () => undefined,
  })
  const profiles = createProfiles({ rest, storage, clock: systemClock, log, cacheMs: 0 })
  const host = createSdkHost()
  endings.push(() => host.close())
  const create = (id: string, did: string, key: Uint8Array) =>
    createEnrolledAccount(id, did, key, { rest, profiles, host, environment: 'prod' })
  return { host, create }
}
