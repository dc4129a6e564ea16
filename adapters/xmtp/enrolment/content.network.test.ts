/** Contents between the gateway and plain XMTP clients: each cell of the table, with the real SDK on both sides. */
import type { Client, DecodedMessage } from '@xmtp/node-sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { EnrolmentFacet, NativeInbound, NativeIntent, Sandbox } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import {
  type EncodedContent,
  type KnownContent,
  readContent,
  writeContent,
  xmtpContents,
} from '../../../src/content/index.ts'
import { samples } from '../../../src/content/testing/samples.ts'
import { createXmtpAdapter } from '../adapter.ts'
import { configSchema } from '../config.ts'
import { startSandbox } from '../sandbox/index.ts'
import { clientPool, newWallet, walletSigner } from '../sandbox/testing/clients.ts'

const signal = () => AbortSignal.timeout(60_000)
const clients = clientPool()
const alice = newWallet()
const bob = newWallet()
const keyOf = ({ address }: { address: string }) => `eip155:*:${address.toLowerCase()}`
const ENROLMENT = 'ab'.repeat(16)

let sandbox: Sandbox
let context: RecordingContext
let adapter: ReturnType<typeof createXmtpAdapter>
let enrolment: EnrolmentFacet
let native: Client<unknown>
let dm: Awaited<ReturnType<Client<unknown>['conversations']['createDm']>>
let question: string
let sends = 0

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 17 })
  context = createRecordingContext()
  adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context)
  if (!adapter.enrolment) throw new Error('the adapter has no enrolment')
  enrolment = adapter.enrolment
  native = await clients.client(String(sandbox.gatewayConfig.apiUrl), walletSigner(bob))
  await adapter.start(signal())
  const account = { kind: 'evm-account' as const, address: alice.address, chainId: 1 }
  const secret = new Uint8Array(32).fill(7)
  const { text } = await enrolment.begin({ id: ENROLMENT, wallet: keyOf(alice), account, secret }, signal())
  const signature = await alice.signMessage(text)
  const completion = { id: ENROLMENT, signature, chainId: null, handover: null }
  const { address } = await enrolment.complete(completion, signal())
  dm = await native.conversations.createDm(address)
  question = await dm.sendText('a question')
  await waitFor(() => heard(question), { what: 'the question', timeoutMs: 30_000 })
})

afterAll(async () => {
  await adapter.stop(signal())
  await context.dispose()
  await clients.close()
  await sandbox.stop()
})

const heard = (remoteId: string): NativeInbound | undefined =>
  context.natives.find(({ inbound }) => inbound.remoteId === remoteId)?.inbound

function intentOf(content: EncodedContent, reference: string | null = null): NativeIntent {
  sends++
  return {
    enrolment: ENROLMENT,
    transactionId: sends.toString(16).padStart(32, '0'),
    envelopeId: new Uint8Array(32).fill(sends),
    to: { wallet: keyOf(bob) },
    content,
    reference,
    replaces: null,
    silent: false,
    attempt: 1,
  }
}

async function send(intent: NativeIntent): Promise<string[]> {
  const receipt = await enrolment.send(intent, signal())
  if (!('remoteIds' in receipt)) throw new Error('XMTP tells its ids at once')
  return receipt.remoteIds
}

/** What Bob's client has under these ids. */
async function seen(ids: string[]): Promise<DecodedMessage<unknown>[]> {
  return waitFor(
    async () => {
      await native.conversations.syncAll()
      const found = ids.flatMap((id) => native.conversations.getMessageById(id) ?? [])
      return found.length === ids.length ? found : null
    },
    { what: 'the messages at the plain client', timeoutMs: 30_000 },
  )
}

const own = Object.keys(samples).filter(
  (kind) => xmtpContents.kinds[kind as keyof typeof samples] === 'native' && kind !== 'reply',
) as (keyof typeof samples)[]

it.each(own)('%s stands at a plain client as XMTP’s own', async (kind) => {
  const ids = await send(intentOf(writeContent(samples[kind]), kind === 'reaction' ? question : null))
  const [message] = await seen(ids)
  const names: Readonly<Record<string, string>> = {
    remoteAttachment: 'remoteStaticAttachment',
    multiRemoteAttachment: 'multiRemoteStaticAttachment',
  }
  expect(message?.contentType.typeId).toBe(names[kind] ?? kind)
  expect(message?.content, 'the SDK read it').toBeDefined()
})

it('a type that nobody knows arrives with its fallback', async () => {
  const drawing = {
    type: 'example.org/drawing:1.0',
    parameters: {},
    fallback: 'A drawing',
    bytes: Uint8Array.of(1),
  }
  const [message] = await seen(await send(intentOf(drawing)))
  expect(message?.contentType.typeId).toBe('drawing')
  expect(message?.fallback).toBe('A drawing')
})

it('a composite becomes one message for each part, once for all retries, and each is known by the one transaction', async () => {
  const parts = [writeContent(samples.attachment), writeContent({ kind: 'text', text: 'a caption' })]
  const intent = intentOf(writeContent({ kind: 'composite', parts }), question)
  const ids = await send(intent)
  expect(new Set(ids).size).toBe(2)
  expect(await send({ ...intent, attempt: 2 })).toEqual(ids)
  expect(await enrolment.find(intent, signal())).toEqual({ remoteIds: ids })
  expect((await seen(ids)).map(({ contentType }) => contentType.typeId)).toEqual(['reply', 'text'])
  for (const id of ids) {
    await expect.poll(() => heard(id)?.transactionId, { timeout: 30_000 }).toBe(intent.transactionId)
  }
  const never = intentOf(intent.content, question)
  expect(await enrolment.find(never, signal())).toBe(null)
})

/** Sent as bytes of ours by a plain client: what the SDK makes of them is what it reads. */
const encodedFor = ({ type, parameters, fallback, bytes }: EncodedContent) => {
  const [, authorityId = '', typeId = '', major, minor] = /^(.+)\/(.+):(\d+)\.(\d+)$/.exec(type) ?? []
  return {
    type: { authorityId, typeId, versionMajor: Number(major), versionMinor: Number(minor) },
    parameters,
    content: bytes,
    ...(fallback === null ? {} : { fallback }),
  }
}

it('replies and reactions in our bytes are read by XMTP’s own library', async () => {
  const reply: KnownContent = { ...samples.reply, reference: question, referenceInboxId: native.inboxId }
  const replyId = await dm.send(encodedFor(writeContent(reply)))
  await expect.poll(() => heard(replyId), { timeout: 30_000 }).toBeDefined()
  expect(heard(replyId)).toMatchObject({ reference: question })
  expect(readContent(heard(replyId)!.content)).toEqual({ kind: 'text', text: 'yes' })
  // Version 1.0, the JSON of XIP-20, which the SDK reads and does not write any more.
  const reaction: KnownContent = {
    ...samples.reaction,
    reference: question,
    referenceInboxId: native.inboxId,
  }
  const reactionId = await dm.send(encodedFor(writeContent(reaction)))
  await expect.poll(() => heard(reactionId), { timeout: 30_000 }).toBeDefined()
  expect(heard(reactionId)).toMatchObject({ reference: question })
  expect(readContent(heard(reactionId)!.content)).toMatchObject({ content: '👍', action: 'added' })
})

it.each([
  ['no action', []],
  ['eleven actions', Array.from({ length: 11 }, (_, index) => ({ id: `${index}`, label: 'x' }))],
  [
    'an id twice',
    [
      { id: 'same', label: 'x' },
      { id: 'same', label: 'y' },
    ],
  ],
])('what XMTP’s own library reads and would not write holds nothing up: %s', async (_, actions) => {
  const since = Date.now()
  const body = { id: 'x', description: 'd', actions }
  const strange = await dm.send({
    type: { authorityId: 'coinbase.com', typeId: 'actions', versionMajor: 1, versionMinor: 0 },
    parameters: {},
    content: new TextEncoder().encode(JSON.stringify(body)),
    fallback: 'Choose',
  })
  const next = await dm.sendText('the next one')
  await expect.poll(() => heard(next), { timeout: 30_000 }).toBeDefined()
  expect(heard(strange)?.content).toMatchObject({ type: 'coinbase.com/actions:1.0', fallback: 'Choose' })
  expect(heard(strange)?.content.bytes).toHaveLength(0)
  const walked: string[] = []
  for await (const { remoteId } of enrolment.walk(
    { enrolment: ENROLMENT, since: since - 60_000 },
    signal(),
  )) {
    walked.push(remoteId)
  }
  expect(walked).toEqual(expect.arrayContaining([strange, next]))
})

const garbage = ['reply', 'reaction', 'group_updated', 'text', 'attachment'].flatMap((typeId) =>
  [1, 2, 9].map((versionMajor) => ({ authorityId: 'xmtp.org', typeId, versionMajor, versionMinor: 0 })),
)

it('what says that it is of a known type, and is not, holds nothing up', async () => {
  const since = Date.now()
  for (const type of garbage) await dm.send({ type, parameters: {}, content: Uint8Array.of(255, 254) })
  const next = await dm.sendText('after all of them')
  await expect.poll(() => heard(next), { timeout: 30_000 }).toBeDefined()
  const walked: string[] = []
  for await (const { remoteId } of enrolment.walk(
    { enrolment: ENROLMENT, since: since - 60_000 },
    signal(),
  )) {
    walked.push(remoteId)
  }
  expect(walked).toContain(next)
})
