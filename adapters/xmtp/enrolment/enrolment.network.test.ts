import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from '@xmtp/node-sdk'
import { encodeText } from '@xmtp/node-sdk'
import type { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EnrolledAccount, NativeInbound, NativeIntent, Sandbox } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { utf8Decode, utf8Encode } from '../../../src/envelope/index.ts'
import { createXmtpAdapter } from '../adapter.ts'
import { configSchema } from '../config.ts'
import { startSandbox } from '../sandbox/index.ts'
import { clientPool, newWallet, walletSigner } from '../sandbox/testing/clients.ts'

const signal = () => AbortSignal.timeout(60_000)
const clients = clientPool()
let sandbox: Sandbox
let apiUrl: string

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 11 })
  apiUrl = String(sandbox.gatewayConfig.apiUrl)
})
afterAll(async () => {
  await clients.close()
  await sandbox.stop()
})

const accountOf = (wallet: Wallet): EnrolledAccount => ({
  kind: 'evm-account',
  address: wallet.address,
  chainId: 1,
})
const secretOf = (seed: number) => new Uint8Array(32).fill(seed)
const idOf = (seed: number) => seed.toString(16).padStart(32, '0')

function gateway(context: RecordingContext) {
  const adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context)
  if (!adapter.enrolment) throw new Error('the adapter has no enrolment')
  return { adapter, enrolment: adapter.enrolment }
}

async function enrol(facet: ReturnType<typeof gateway>['enrolment'], wallet: Wallet, seed: number) {
  const id = idOf(seed)
  const request = { id, wallet: keyOf(wallet), account: accountOf(wallet), secret: secretOf(seed) }
  const { text } = await facet.begin(request, signal())
  const { address } = await facet.complete(
    { id, signature: await wallet.signMessage(text), chainId: null, handover: null },
    signal(),
  )
  return { id, wallet: request.wallet, account: request.account, secret: request.secret, address }
}

const keyOf = (wallet: Wallet) => `eip155:*:${wallet.address.toLowerCase()}`
/** What streams brought, each message once: one that is taken up again may repeat. */
const heard = ({ natives }: RecordingContext): NativeInbound[] => [
  ...new Map(natives.map(({ inbound }) => [inbound.remoteId, inbound])).values(),
]
const textOf = (native: NativeInbound) => utf8Decode(native.content.bytes)

function intentTo(
  wallet: Wallet,
  enrolment: string,
  seed: number,
  change: Partial<NativeIntent> = {},
): NativeIntent {
  return {
    enrolment,
    transactionId: idOf(seed),
    envelopeId: new Uint8Array(32).fill(seed),
    to: { wallet: keyOf(wallet) },
    content: {
      type: 'xmtp.org/text:1.0',
      parameters: { encoding: 'UTF-8' },
      fallback: null,
      bytes: utf8Encode(`out ${seed}`),
    },
    reference: null,
    replaces: null,
    silent: false,
    attempt: 1,
    ...change,
  }
}

async function textsOf(client: Client<unknown>, peerInboxId: string): Promise<unknown[]> {
  await client.conversations.syncAll()
  const dm = client.conversations.getDmByInboxId(peerInboxId)
  const messages = (await dm?.messages()) ?? []
  return messages.filter(({ contentType }) => contentType.typeId === 'text').map(({ content }) => content)
}

describe('an enrolled wallet', () => {
  it('hears plain XMTP users and answers them as the wallet', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob] = [newWallet(), newWallet()]
    const bobClient = await clients.client(apiUrl, walletSigner(bob))
    await adapter.start(signal())
    const enrolled = await enrol(enrolment, alice, 1)
    await expect
      .poll(() => context.enrolmentStates.at(-1)?.report.state, { timeout: 30_000 })
      .toBe('connected')

    const dm = await bobClient.conversations.createDm(enrolled.address)
    const textId = await dm.sendText('hello')
    const reaction = {
      reference: textId,
      referenceInboxId: bobClient.inboxId,
      action: 1,
      content: '👍',
      schema: 1,
    }
    const reactionId = await dm.sendReaction(reaction)
    const replyId = await dm.sendReply({ reference: textId, content: encodeText('and again') })
    await expect.poll(() => heard(context).length, { timeout: 30_000 }).toBe(3)

    const natives = heard(context)
    expect(natives.map(({ remoteId }) => remoteId)).toEqual([textId, reactionId, replyId])
    const [text, reacted, reply] = natives as [NativeInbound, NativeInbound, NativeInbound]
    expect(textOf(text)).toBe('hello')
    expect(text).toMatchObject({
      enrolment: enrolled.id,
      own: false,
      from: { wallet: keyOf(bob), address: bobClient.inboxId },
      conversation: { remoteId: dm.id, kind: 'direct', peer: { wallet: keyOf(bob) } },
      content: { type: 'xmtp.org/text:1.0' },
      reference: null,
    })
    expect(reacted).toMatchObject({ reference: textId, content: { type: 'xmtp.org/reaction:1.0' } })
    expect(JSON.parse(textOf(reacted))).toMatchObject({ action: 'added', content: '👍', schema: 'unicode' })
    expect(reply).toMatchObject({ reference: textId, content: { type: 'xmtp.org/text:1.0' } })
    expect(textOf(reply)).toBe('and again')

    const answer = intentTo(bob, enrolled.id, 21)
    const receipt = await enrolment.send(answer, signal())
    // A retry finds what was sent.
    expect(await enrolment.find(answer, signal())).toEqual(receipt)
    expect(await enrolment.send(answer, signal())).toEqual(receipt)
    const replyIntent = intentTo(bob, enrolled.id, 22, { reference: textId })
    const replied = await enrolment.send(replyIntent, signal())
    expect(await enrolment.send(replyIntent, signal())).toEqual(replied)
    const heart = { action: 'added', content: '❤️', schema: 'unicode' }
    const content = {
      type: 'xmtp.org/reaction:1.0',
      parameters: {},
      fallback: null,
      bytes: utf8Encode(JSON.stringify(heart)),
    }
    await enrolment.send(intentTo(bob, enrolled.id, 23, { reference: textId, content }), signal())
    await expect
      .poll(() => textsOf(bobClient, enrolled.address), { timeout: 30_000 })
      .toEqual(['hello', 'out 21'])
    const all = await dm.messages()
    const replies = all.filter(({ contentType }) => contentType.typeId === 'reply')
    expect(replies.map(({ content: body }) => (body as { content: unknown }).content)).toEqual([
      'and again',
      'out 22',
    ])
    const seen = all
      .find(({ id }) => id === textId)
      ?.reactions.map(({ content: body }) => (body as { content: string }).content)
    expect(seen).toContain('❤️')

    // Its own messages come back, known by their transaction.
    await expect
      .poll(() => context.natives.filter(({ inbound }) => inbound.own).length, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(1)
    expect(context.natives.find(({ inbound }) => inbound.own)?.inbound.transactionId).toBe(
      answer.transactionId,
    )
    await adapter.stop(signal())
    await context.dispose()
  })

  it('reads after a restart what came while it was closed, with a reaction to an older message', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob] = [newWallet(), newWallet()]
    const bobClient = await clients.client(apiUrl, walletSigner(bob))
    await adapter.start(signal())
    const enrolled = await enrol(enrolment, alice, 2)
    const dm = await bobClient.conversations.createDm(enrolled.address)
    const first = await dm.sendText('before')
    await expect.poll(() => context.natives.length, { timeout: 30_000 }).toBe(1)
    await enrolment.close(enrolled.id)

    const since = Date.now()
    const missed = await dm.sendText('while it was closed')
    const reaction = {
      reference: first,
      referenceInboxId: bobClient.inboxId,
      action: 1,
      content: '👀',
      schema: 1,
    }
    const reacted = await dm.sendReaction(reaction)
    await enrolment.open(enrolled, signal())
    const walked: string[] = []
    for await (const native of enrolment.walk({ enrolment: enrolled.id, since: since - 1 }, signal())) {
      walked.push(native.remoteId)
    }
    expect(walked).toEqual(expect.arrayContaining([missed, reacted]))
    await adapter.stop(signal())
    await context.dispose()
  })

  it('hears groups, with changes of their membership', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob, carol] = [newWallet(), newWallet(), newWallet()]
    const bobClient = await clients.client(apiUrl, walletSigner(bob))
    const carolClient = await clients.client(apiUrl, walletSigner(carol))
    await adapter.start(signal())
    const enrolled = await enrol(enrolment, alice, 3)
    const group = await bobClient.conversations.createGroup([enrolled.address], { groupName: 'Friends' })
    await group.sendText('welcome')
    await group.addMembers([carolClient.inboxId])
    const update = () =>
      heard(context).find(
        ({ content }) =>
          content.type === 'causeway/group-updated:1.0' &&
          JSON.parse(utf8Decode(content.bytes)).added.includes(carolClient.inboxId),
      )
    await expect.poll(update, { timeout: 30_000 }).toBeDefined()
    expect(heard(context).map(textOf)).toContain('welcome')
    expect(update()?.conversation).toMatchObject({ kind: 'group', name: 'Friends', peer: null })

    await enrolment.send(intentTo(bob, enrolled.id, 31, { to: { conversation: group.id } }), signal())
    await carolClient.conversations.syncAll()
    await group.sync()
    expect((await group.messages()).map(({ content }) => content)).toContain('out 31')
    await adapter.stop(signal())
    await context.dispose()
  })

  it('leaves nothing when it is revoked while it is closed', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob] = [newWallet(), newWallet()]
    const bobClient = await clients.client(apiUrl, walletSigner(bob))
    await adapter.start(signal())
    const enrolled = await enrol(enrolment, alice, 8)
    const dm = await bobClient.conversations.createDm(enrolled.address)
    const reference = await dm.sendText('a question')
    await expect.poll(() => heard(context).length, { timeout: 30_000 }).toBe(1)
    // The id of a reply is kept outside of the database.
    await enrolment.send(intentTo(bob, enrolled.id, 81, { reference }), signal())
    expect(await context.storage.get(`sent/${enrolled.id}`)).not.toBeNull()
    await enrolment.close(enrolled.id)
    await enrolment.revoke(enrolled, signal())
    expect(await context.storage.get(`sent/${enrolled.id}`)).toBeNull()
    await adapter.stop(signal())
    await context.dispose()
  })

  it('is gone after a revocation: files, keys and what it could read', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob] = [newWallet(), newWallet()]
    const bobClient = await clients.client(apiUrl, walletSigner(bob))
    await adapter.start(signal())
    const enrolled = await enrol(enrolment, alice, 4)
    const dm = await bobClient.conversations.createDm(enrolled.address)
    await dm.sendText('one')
    await expect.poll(() => context.natives.length, { timeout: 30_000 }).toBe(1)
    expect(await enrolment.revoke(enrolled, signal())).toMatchObject({ remote: 'pending' })
    await dm.sendText('two')
    await expect(enrolment.open(enrolled, signal())).rejects.toMatchObject({ class: 'auth' })
    await expect(enrolment.send(intentTo(bob, enrolled.id, 41), signal())).rejects.toMatchObject({
      class: 'retryable',
    })
    expect(context.natives).toHaveLength(1)
    expect(readdirSync(join(await context.directory(), 'enrolments'))).toEqual([])
    await adapter.stop(signal())
    await context.dispose()
  })
})

describe('the ceremony', () => {
  it('refuses another wallet’s signature and takes the right one afterwards', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const alice = newWallet()
    await adapter.start(signal())
    const request = { id: idOf(5), wallet: keyOf(alice), account: accountOf(alice), secret: secretOf(5) }
    const { text } = await enrolment.begin(request, signal())
    expect(text).toContain('Grant messaging access to app')
    const completion = { id: request.id, chainId: null, handover: null }
    const wrong = await newWallet().signMessage(text)
    for (const signature of [wrong, '0x', 'nonsense', `0x${'11'.repeat(65)}`]) {
      await expect(enrolment.complete({ ...completion, signature }, signal())).rejects.toMatchObject({
        class: 'permanent',
        remoteCode: 'signature-invalid',
      })
    }
    await enrolment.complete({ ...completion, signature: await alice.signMessage(text) }, signal())
    await adapter.stop(signal())
    await context.dispose()
  })

  it('leaves nothing of one that was given up, also by a crash', async () => {
    const context = createRecordingContext()
    const { adapter, enrolment } = gateway(context)
    const [alice, bob] = [newWallet(), newWallet()]
    await adapter.start(signal())
    const request = { id: idOf(6), wallet: keyOf(alice), account: accountOf(alice), secret: secretOf(6) }
    await enrolment.begin(request, signal())
    await enrolment.cancel(request.id)
    const folder = join(await context.directory(), 'enrolments')
    expect(readdirSync(folder)).toEqual([])
    const late = { id: request.id, signature: '0x00', chainId: null, handover: null }
    await expect(enrolment.complete(late, signal())).rejects.toMatchObject({
      remoteCode: 'enrolment-unknown',
    })

    await enrolment.begin({ ...request, id: idOf(7), wallet: keyOf(bob), account: accountOf(bob) }, signal())
    expect(statSync(join(folder, idOf(7))).isDirectory()).toBe(true)
    // A second adapter on the same folder is what a gateway finds after a crash.
    const next = gateway(context)
    await next.adapter.start(signal())
    expect(readdirSync(folder)).toEqual([])
    await next.adapter.stop(signal())
    await adapter.stop(signal())
    await context.dispose()
  })
})
