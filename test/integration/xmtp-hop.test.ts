/** Hop mode on XMTP: an enrolled wallet and people who have plain XMTP applications and know nothing of gateways. */
import { encodeText, isReply, isText } from '@xmtp/node-sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { clientPool, newWallet, walletSigner } from '../../adapters/xmtp/sandbox/testing/clients.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import type { Client, Message } from '../../src/client/index.ts'
import { utf8Decode } from '../../src/envelope/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type RemoteWallet, startRemoteWallet } from '../support/remote-wallet.ts'

const clients = clientPool()
const interruption = new AbortController()
const live: { message: Message; at: number }[] = []
let gateway: TestGateway
let aliceWallet: RemoteWallet
let alice: Client
let enrolment: { id: string; address: string | null }
let bob: Awaited<ReturnType<typeof clients.client>>
let bobWallet: ReturnType<typeof newWallet>
let listening: Promise<void>

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { xmtp: 'sandbox' } })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'XMTP to connect',
    timeoutMs: 60_000,
  })
  aliceWallet = await startRemoteWallet()
  alice = await gateway.signIn({ signer: aliceWallet })
  const begun = await alice.enrolments.begin('xmtp')
  expect(begun.text).toContain('Grant messaging access to app')
  enrolment = await alice.enrolments.complete(begun)
  expect(aliceWallet.signed).toContain(begun.text)
  bobWallet = newWallet()
  bob = await clients.client(apiUrl(), walletSigner(bobWallet))
  listening = listen()
}, 120_000)

afterAll(async () => {
  interruption.abort(new Error('the tests are over'))
  await listening
  await clients.close()
  await aliceWallet?.close()
  await gateway?.stop()
}, 60_000)

function apiUrl(): string {
  const status = gateway.gateway.networks.list().find(({ network }) => network === 'xmtp')
  return String(status?.description.apiUrl)
}

async function listen(): Promise<void> {
  for await (const { message } of alice.messages({ signal: interruption.signal })) {
    if (message) live.push({ message, at: performance.now() })
  }
}

const bobKey = () => `eip155:*:${bobWallet.address.toLowerCase()}`
const inboxOfAlice = () => String(enrolment.address)

async function shown(accept: (message: Message) => boolean, what: string): Promise<Message> {
  return waitFor(() => live.find(({ message }) => accept(message))?.message, { what, timeoutMs: 30_000 })
}

it('a text, a reaction and a reply of a plain XMTP user stand in the wallet’s inbox', async () => {
  const dm = await bob.conversations.createDm(inboxOfAlice())
  const textId = await dm.sendText('hello from XMTP')
  const reaction = { reference: textId, referenceInboxId: bob.inboxId, action: 1, content: '👍', schema: 1 }
  await dm.sendReaction(reaction)
  await dm.sendReply({ reference: textId, content: encodeText('one more thing') })

  const text = await shown(({ text: body }) => body === 'hello from XMTP', 'the text')
  expect(text).toMatchObject({
    mode: 'hop',
    from: bobKey(),
    direction: 'received',
    attestation: {
      network: 'xmtp',
      remoteId: textId,
      conversation: dm.id,
      kind: 'direct',
      sender: bob.inboxId,
    },
  })
  const reacted = await shown(({ contentType }) => contentType === 'xmtp.org/reaction:1.0', 'the reaction')
  expect(reacted.replyTo).toBe(text.id)
  expect(JSON.parse(utf8Decode(reacted.content.content))).toMatchObject({ action: 'added', content: '👍' })
  expect((await shown(({ text: body }) => body === 'one more thing', 'the reply')).replyTo).toBe(text.id)
})

it('an answer through the gateway reaches the plain user as an ordinary message of the wallet', async () => {
  const question = await shown(({ text: body }) => body === 'hello from XMTP', 'the text')
  await alice.send({ to: bobKey(), text: 'an ordinary answer', mode: 'hop', network: 'xmtp' })
  await alice.send({ to: bobKey(), text: 'a reply', replyTo: question.id, mode: 'hop', network: 'xmtp' })
  const dm = await waitFor(() => bob.conversations.getDmByInboxId(inboxOfAlice()), {
    what: 'the conversation',
  })
  const heard = await waitFor(
    async () => {
      await dm.sync()
      const messages = await dm.messages()
      return messages.some(isReply) && messages.some(({ content }) => content === 'an ordinary answer')
        ? messages
        : null
    },
    { what: 'the answers', timeoutMs: 30_000 },
  )
  const answer = heard.filter(isText).find(({ content }) => content === 'an ordinary answer')
  expect(answer?.senderInboxId).toBe(inboxOfAlice())
  expect(heard.filter(isReply).map(({ content }) => content?.referenceId)).toContain(
    question.attestation?.remoteId,
  )
  // Neither is shown to the wallet a second time, as a message of its own.
  const entries = await alice.inbox({ limit: 200 })
  expect(entries.filter(({ message }) => message?.text === 'an ordinary answer')).toHaveLength(1)
})

it('a message is there within the network’s own latency and what the gateway adds', async () => {
  const carol = await clients.client(apiUrl())
  const native: number[] = []
  const stream = await carol.conversations.streamAllMessages({ disableSync: true })
  const toCarol = await bob.conversations.createDm(carol.inboxId)
  const toAlice = await bob.conversations.createDm(inboxOfAlice())
  await toCarol.sendText('first')
  await stream.next()
  const added: number[] = []
  for (let round = 0; round < 30; round++) {
    const sentNative = performance.now()
    await toCarol.sendText(`native ${round}`)
    await stream.next()
    native.push(performance.now() - sentNative)
    const sentHop = performance.now()
    await toAlice.sendText(`hop ${round}`)
    await shown(({ text }) => text === `hop ${round}`, 'the message')
    added.push(Number(live.find(({ message }) => message.text === `hop ${round}`)?.at) - sentHop)
  }
  await stream.end()
  const middle = (values: number[]) =>
    values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0
  console.log(
    `XMTP to XMTP ${middle(native).toFixed(1)} ms; XMTP to the wallet's inbox ${middle(added).toFixed(1)} ms (medians of 30)`,
  )
  expect(live.filter(({ message }) => message.text?.startsWith('hop '))).toHaveLength(30)
})

it('after revocation nothing more is readable', async () => {
  const dm = await bob.conversations.createDm(inboxOfAlice())
  await alice.enrolments.revoke({ network: 'xmtp', id: enrolment.id })
  const before = (await alice.inbox({ limit: 200 })).length
  await dm.sendText('after the revocation')
  await expect(
    alice.send({ to: bobKey(), text: 'no more', mode: 'hop', network: 'xmtp' }),
  ).rejects.toMatchObject({
    name: 'ClientError',
  })
  // A second enrolment hears what comes from then on, and proves that what was sent meanwhile had its time to arrive.
  const begun = await alice.enrolments.begin('xmtp')
  await alice.enrolments.complete(begun)
  await expect
    .poll(
      async () => {
        // Others add a new installation to a conversation when they send, some seconds after they looked last.
        await dm.sendText('for the new installation')
        return (await alice.inbox({ limit: 200 })).filter(
          ({ message }) => message?.text === 'for the new installation',
        ).length
      },
      { timeout: 60_000, interval: 2_000 },
    )
    .toBeGreaterThan(0)
  const texts = (await alice.inbox({ limit: 200 })).slice(before).map(({ message }) => message?.text)
  expect(texts).not.toContain('after the revocation')
}, 120_000)
