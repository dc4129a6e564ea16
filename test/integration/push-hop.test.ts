/** Hop mode on Push: an enrolled wallet, and people with plain Push applications who know nothing of gateways. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type PushSandbox, startSandbox } from '../../adapters/push/sandbox/index.ts'
import { connectPushUser, type PushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, type Message, memoryStorage } from '../../src/client/index.ts'
import { utf8Decode } from '../../src/envelope/index.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'
import { type Canary, canary, findCanaries, readFolder } from '../security/canaries.ts'
import { type RemoteWallet, startRemoteWallet } from '../support/remote-wallet.ts'

const PATIENCE = { timeoutMs: 60_000 }
const storage = memoryStorage()
const lines: string[] = []
const errors: string[] = []
const canaries: Canary[] = []
let directory: string
let sandbox: PushSandbox
let gateway: RunningGateway
let aliceWallet: RemoteWallet
let alice: Client
let aliceDid: string
let key: Uint8Array
let enrolment: { id: string; network: string }
let bob: PushUser
let carol: PushUser

async function start(): Promise<void> {
  gateway = await startGateway({
    values: {
      server: { port: 0 },
      data: { directory },
      networks: { push: { ...sandbox.gatewayConfig, reconnectMaxMs: 1_000 } },
      enrolments: { wakeIntervalMs: 1_000 },
    },
    log: createLog({ level: 'trace', destination: { write: (line) => lines.push(line) } }),
  })
  await waitFor(() => gateway.gateway.networks.list().every(({ state }) => state === 'connected'), {
    what: 'Push to connect',
    ...PATIENCE,
  })
  alice = await createClient({ gateway: gateway.url, signer: aliceWallet, storage })
  await alice.signIn()
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-push-hop-'))
  sandbox = await startSandbox()
  const baseUrl = String(sandbox.addresses.rest)
  aliceWallet = await startRemoteWallet()
  aliceDid = `eip155:${aliceWallet.address}`
  bob = await connectPushUser({ baseUrl, signer: Wallet.createRandom() })
  carol = await connectPushUser({ baseUrl, signer: Wallet.createRandom() })
  key = await aliceWallet.pushKey(baseUrl)
  canaries.push(...canariesOf(key))
  await start()
}, 240_000)

afterAll(async () => {
  await bob?.close()
  await carol?.close()
  await gateway?.stop()
  await sandbox?.stop()
  await aliceWallet?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

/** A part of the armored key, and of its bytes where the private numbers are. */
function canariesOf(armored: Uint8Array): Canary[] {
  const body = utf8Decode(armored)
    .split(/\r?\n/)
    .filter((line) => /^[A-Za-z0-9+/]{40,}$/.test(line))
  const packets = Buffer.from(body.join(''), 'base64')
  expect(packets.length).toBeGreaterThan(1_000)
  return [
    canary('the armored PGP key', String(body[body.length >> 1])),
    canary('the PGP key', packets.subarray(400, 460)),
  ]
}

const walletOf = (user: PushUser) => `eip155:*:${user.did.slice('eip155:'.length).toLowerCase()}`

/** Messages of the inbox as it is, repeats included. */
async function inbox(): Promise<Message[]> {
  const entries = await alice.inbox({ limit: 200 })
  return entries.flatMap(({ message, error }) => {
    if (error) throw error
    return message ? [message] : []
  })
}

function shown(accept: (message: Message) => boolean, what: string): Promise<Message> {
  return waitFor(async () => (await inbox()).find(accept), { what, ...PATIENCE })
}

const text = (wanted: string) => shown((message) => message.text === wanted, `"${wanted}"`)

function heard(user: PushUser, content: string): Promise<PushUser['messages'][number]> {
  return waitFor(() => user.messages.find((message) => message.content === content), {
    what: `"${content}"`,
    ...PATIENCE,
  })
}

/** Writes with the SDK, any type of message. Gives the cid. */
async function write(user: PushUser, to: string, message: object): Promise<string> {
  return ((await user.invoke('chat.send', to, message)) as { cid: string }).cid
}

it('refuses another wallet’s key, and enrols with the right one', async () => {
  const begun = await alice.enrolments.begin('push')
  expect(begun.terms).toMatchObject({ handover: 'key', groups: true })
  expect(begun.text).toContain('full authority over this Push account')
  const { decryptedPgpPrivateKey } = (await bob.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  const wrong = [new TextEncoder().encode(decryptedPgpPrivateKey), new TextEncoder().encode('no key at all')]
  for (const handover of wrong) {
    const failure = await alice.enrolments.complete(begun, { handover }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ problem: 'enrolment-handover-invalid' })
    errors.push(String(failure))
  }
  await expect(alice.enrolments.complete(begun)).rejects.toMatchObject({
    problem: 'enrolment-handover-invalid',
  })
  const completed = await alice.enrolments.complete(begun, { handover: key })
  expect(completed).toMatchObject({ state: 'active', address: aliceDid })
  expect(aliceWallet.signed).toContain(begun.text)
  enrolment = completed
}, 240_000)

it('a stranger’s request is shown, and accepted by the answer alone', async () => {
  const cid = await bob.sendText(aliceDid, 'hello from Push')
  const request = await text('hello from Push')
  expect(request).toMatchObject({
    mode: 'hop',
    from: walletOf(bob),
    direction: 'received',
    attestation: { network: 'push', remoteId: cid, kind: 'direct', sender: bob.did, known: true },
  })
  const requests = async () => (await bob.invoke('chat.info', aliceDid)) as { list: string }
  const intentOf = async () => {
    const feeds = (await bob.invoke('chat.list', 'CHATS')) as { did: string; intent: string }[]
    return feeds.find(({ did }) => did === aliceDid)?.intent
  }
  expect(await requests()).toBeTruthy()
  expect(await intentOf()).toBe(bob.did)

  const sent = await alice.send({ to: walletOf(bob), text: 'hello back', mode: 'hop', network: 'push' })
  expect(await heard(bob, 'hello back')).toMatchObject({ from: aliceDid, type: 'Text', group: false })
  expect((await intentOf())?.split('+').sort()).toEqual([aliceDid, bob.did].sort())
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the acknowledgement',
    ...PATIENCE,
  })
}, 240_000)

it('replies, reactions, links and receipts go both ways', async () => {
  const question = await write(bob, aliceDid, { type: 'Text', content: 'how are you?' })
  const asked = await text('how are you?')
  await write(bob, aliceDid, { type: 'Reaction', content: '🔥', reference: question })
  await write(bob, aliceDid, {
    type: 'Reply',
    content: { type: 'Text', content: 'I mean it' },
    reference: question,
  })
  await write(bob, aliceDid, { type: 'MediaEmbed', content: 'https://example.org/cat.gif' })
  const reaction = await shown(({ contentType }) => contentType === 'xmtp.org/reaction:1.0', 'the reaction')
  expect(reaction.replyTo).toBe(asked.id)
  expect(JSON.parse(utf8Decode(reaction.content.content))).toMatchObject({ action: 'added', content: '🔥' })
  expect((await text('I mean it')).replyTo).toBe(asked.id)
  const link = await shown(({ content }) => content.fallback === 'https://example.org/cat.gif', 'the link')
  expect(link.contentType).toBe('causeway/attachment-reference:1.0')

  const send = { to: walletOf(bob), mode: 'hop', network: 'push', replyTo: asked.id } as const
  await alice.send({ ...send, text: 'very well' })
  await alice.send({
    ...send,
    content: {
      contentType: 'xmtp.org/reaction:1.0',
      bytes: new TextEncoder().encode('{"action":"added","content":"👍","schema":"unicode"}'),
    },
  })
  await alice.send({ ...send, content: { contentType: 'xmtp.org/readReceipt:1.0', bytes: new Uint8Array() } })
  // Not one of Push's nine reactions: it goes as text in its place.
  const party = await alice.send({
    ...send,
    content: {
      contentType: 'xmtp.org/reaction:1.0',
      bytes: new TextEncoder().encode('{"action":"added","content":"🎉","schema":"unicode"}'),
    },
  })
  const of = (type: string) =>
    waitFor(() => bob.messages.find((message) => message.type === type), { what: type, ...PATIENCE })
  expect((await of('Reply')).content).toEqual({ messageType: 'Text', messageObj: { content: 'very well' } })
  expect((await of('Reaction')).content).toBe('👍')
  expect((await of('Receipt')).content).toBe('READ_RECEIPT')
  await waitFor(async () => (await alice.journey(party.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the reaction that Push does not have',
    ...PATIENCE,
  })
  const latest = (await bob.invoke('chat.history', aliceDid, { limit: 4 })) as {
    messageObj: { reference: string; content: unknown }
  }[]
  expect(latest.map(({ messageObj }) => messageObj.reference)).toEqual(latest.map(() => question))
  expect(latest[0]?.messageObj.content).toMatchObject({ messageObj: { content: '🎉' } })
}, 240_000)

it.each([
  ['private', 'pgp', []],
  ['public', 'PlainText', []],
  ['session-key', 'pgpv1:group', ['SCALABILITY_V2']],
])(
  'a %s group: an invitation, an answer that accepts it, messages of all',
  async (kind, cipher, features) => {
    const person = () =>
      connectPushUser({
        baseUrl: String(sandbox.addresses.rest),
        signer: Wallet.createRandom(),
        features,
      })
    const [founder, friend] = await Promise.all([person(), person()])
    try {
      const name = `Climbing (${kind})`
      const members = [aliceDid, friend.did]
      const options = { members, private: cipher !== 'PlainText' }
      const { chatId } = (await founder.invoke('chat.group.create', name, options)) as { chatId: string }
      await friend.invoke('chat.group.join', chatId)
      const invitation = await shown(
        ({ contentType, attestation }) =>
          contentType === 'push.org/groupInvitation:1.0' && attestation?.conversation === chatId,
        'the invitation',
      )
      expect(invitation).toMatchObject({
        from: walletOf(founder),
        attestation: { kind: 'group' },
        content: { parameters: { 'causeway/group-name': name } },
      })
      const native = { conversation: chatId, kind: 'group' } as const
      const path = `${sandbox.addresses.rest}/v1/chat/conversationhash`
      await alice.send({ text: `Alice is in (${kind})`, mode: 'hop', network: 'push', native })
      for (const user of [founder, friend]) {
        const message = await heard(user, `Alice is in (${kind})`)
        expect(message).toMatchObject({ from: aliceDid, chatId, group: true })
      }
      const cid = await founder.sendText(chatId, `welcome to ${kind}`)
      const welcome = await text(`welcome to ${kind}`)
      expect(welcome).toMatchObject({
        from: walletOf(founder),
        conversation: invitation.conversation,
        attestation: { kind: 'group', conversation: chatId, remoteId: cid },
      })
      expect(welcome.content.parameters['push.org/unencrypted']).toBe(
        cipher === 'PlainText' ? '1' : undefined,
      )
      await alice.send({ text: `thanks, ${kind}`, replyTo: welcome.id, mode: 'hop', network: 'push', native })
      const reply = await waitFor(
        () => friend.messages.find((message) => message.type === 'Reply' && message.chatId === chatId),
        { what: 'the reply', ...PATIENCE },
      )
      expect(reply.content).toEqual({ messageType: 'Text', messageObj: { content: `thanks, ${kind}` } })
      const [stored] = (await (await fetch(`${path}/${reply.cid}`)).json()) as { encType: string }[]
      expect(stored?.encType).toBe(cipher)
    } finally {
      await Promise.all([founder.close(), friend.close()])
    }
  },
  180_000,
)

it('shows what the wallet writes with an application of its own as sent', async () => {
  const application = await connectPushUser({
    baseUrl: String(sandbox.addresses.rest),
    signer: aliceWallet,
    acceptRequests: false,
  })
  await application.sendText(bob.did, 'from my own application')
  await application.close()
  expect(await text('from my own application')).toMatchObject({
    mode: 'hop',
    direction: 'sent',
    from: alice.wallet,
    to: [walletOf(bob)],
  })
  expect((await inbox()).filter((message) => message.text === 'hello back')).toHaveLength(1)
}, 240_000)

it('reads after an outage what was missed, once, and sends what waited', async () => {
  sandbox.faults.loss(1)
  for (let index = 0; index < 3; index++) await bob.sendText(aliceDid, `missed ${index}`)
  await sandbox.faults.outage(true)
  const since = performance.now()
  const waiting = await alice.send({ to: walletOf(bob), text: 'waited', mode: 'hop', network: 'push' })
  await waitFor(() => performance.now() - since > 5_000, { what: 'five seconds', ...PATIENCE })
  sandbox.faults.loss(0)
  await sandbox.faults.outage(false)
  for (let index = 0; index < 3; index++) await text(`missed ${index}`)
  await waitFor(async () => (await alice.journey(waiting.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'what waited',
    ...PATIENCE,
  })
  await bob.sendText(aliceDid, 'after the outage')
  await text('after the outage')
  await heard(bob, 'waited')
  const texts = (await inbox()).flatMap((message) => message.text ?? [])
  for (const once of ['missed 0', 'missed 1', 'missed 2', 'after the outage', 'waited']) {
    expect(texts.filter((other) => other === once)).toHaveLength(1)
  }
}, 180_000)

it('sends once where the answer was lost', async () => {
  sandbox.faults.answerLost(1)
  const sent = await alice.send({ to: walletOf(bob), text: 'perhaps', mode: 'hop', network: 'push' })
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'acknowledged', {
    what: 'the acknowledgement by echo or look-up',
    ...PATIENCE,
  })
  const history = (await bob.invoke('chat.history', aliceDid, { limit: 30 })) as {
    messageObj: { content: unknown }
  }[]
  expect(history.filter(({ messageObj }) => messageObj.content === 'perhaps')).toHaveLength(1)
}, 240_000)

it('writes nothing in the clear to a wallet without keys', async () => {
  const nobody = Wallet.createRandom().address.toLowerCase()
  const to = `eip155:*:${nobody}`
  const sent = await alice.send({ to, text: 'a secret', mode: 'hop', network: 'push' })
  await waitFor(async () => (await alice.journey(sent.id)).deliveries[0]?.state === 'dead', {
    what: 'the refusal',
    ...PATIENCE,
  })
}, 240_000)

it('goes on after a restart of the gateway, with what came meanwhile', async () => {
  await gateway.stop()
  await bob.sendText(aliceDid, 'while you were away')
  await start()
  await text('while you were away')
  await alice.send({ to: walletOf(bob), text: 'back again', mode: 'hop', network: 'push' })
  await heard(bob, 'back again')
  const all = (await inbox()).map(({ attestation }) => attestation?.remoteId).filter((id) => id !== null)
  expect(all.length).toBe(new Set(all).size)
}, 240_000)

it('ends: nothing more is read or sent, and the key stands nowhere', async () => {
  const stored = await gateway.gateway.store.getEnrolment(enrolment.id)
  const wrapped = canary('the wrapped key', Buffer.from(stored?.secret ?? []).subarray(-64))
  const ended = await alice.enrolments.revoke(enrolment)
  expect(ended).toMatchObject({ remote: 'pending' })
  expect(ended.userAction).toContain('make a new key')
  const refused = alice.send({ to: walletOf(bob), text: 'no', mode: 'hop', network: 'push' })
  await expect(refused).rejects.toMatchObject({ problem: 'hop-not-enrolled' })
  await bob.sendText(aliceDid, 'too late')
  // A message that took the same way at the same time, to somebody who does hear it.
  await bob.sendText(carol.did, 'after too late')
  await heard(carol, 'after too late')
  expect((await inbox()).map((message) => message.text)).not.toContain('too late')
  await gateway.stop()
  const places = new Map([
    ...(await readFolder(directory)),
    ['logs', Buffer.from(lines.join(''))],
    ['errors', Buffer.from(errors.join('\n'))],
  ])
  expect(findCanaries(canaries, new Map([['the key itself', key]]))).not.toEqual([])
  expect(lines.length).toBeGreaterThan(10)
  expect(findCanaries([...canaries, wrapped], places)).toEqual([])
}, 240_000)
