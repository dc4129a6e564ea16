/** What hop mode refuses: consents, signatures, requests and attestations that are not what they say. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createSimulatedNetwork,
  type SimulatedNetwork,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { randomHex, waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, memoryStorage } from '../../src/client/index.ts'
import {
  decodeFrame,
  decodeSealed,
  directConversation,
  type EnvelopeHeader,
  encodeFrame,
  encodeHopRequest,
  FLAGS,
  fromBase64url,
  generateDeviceKey,
  generateEncryptionKeyPair,
  SUITE,
  sealEnvelope,
  sealSecret,
  signerFromDeviceKey,
  toBase64url,
  utf8Encode,
} from '../../src/envelope/index.ts'
import { call } from '../../src/http/testing/bench.ts'
import {
  type Consent,
  decodeHopCertificate,
  encodeHopCertificate,
  meaningHash,
  signConsent,
} from '../../src/identity/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

interface Member {
  client: Client
  token: string
  device: { publicKey: Uint8Array; privateKey: Uint8Array }
}

let directory: string
let network: SimulatedNetwork
let gateway: TestGateway
let info: { id: string; publicKey: string; encryptionKey: string }
let meaning: string
let alice: Member
let bob: Member

beforeAll(async () => {
  network = createSimulatedNetwork({ name: `hop-refusals-${process.pid}-${randomHex(4)}` })
  directory = await mkdtemp(join(tmpdir(), 'causeway-hop-refusals-'))
  gateway = await startTestGateway({
    data: { directory },
    networks: { simulator: { network: network.name } },
    enrolments: { maxTotal: 3 },
    limits: { walletPerSecond: 10_000, walletBurst: 10_000, signInsPerMinute: 1_000 },
  })
  info = (await call(gateway.url, 'GET', '/v1/gateway')).body
  const { networks } = (await call(gateway.url, 'GET', '/v1/networks')).body
  meaning = networks[0].enrolment.meaning
  alice = await member()
  bob = await member()
}, 60_000)

afterAll(async () => {
  await gateway?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function member(
  options: { signer?: Wallet | ReturnType<typeof Wallet.createRandom> } = {},
): Promise<Member> {
  const storage = memoryStorage()
  const client = await gateway.signIn({ storage, ...options })
  const { token } = JSON.parse((await storage.get('session'))!) as { token: string }
  const { device } = JSON.parse((await storage.get('keyring'))!) as {
    device: { publicKey: string; privateKey: string }
  }
  return {
    client,
    token,
    device: { publicKey: fromBase64url(device.publicKey), privateKey: fromBase64url(device.privateKey) },
  }
}

const ask = (who: Member, method: string, path: string, body?: unknown) =>
  call(gateway.url, method, path, body, { authorization: `Bearer ${who.token}` })

async function consentOf(who: Member, changes: Partial<Consent> = {}, key = who.device.privateKey) {
  const now = Date.now()
  const consent: Consent = {
    gateway: info.id,
    gatewayDevice: fromBase64url(info.publicKey),
    network: 'simulator',
    wallet: who.client.wallet,
    device: who.device.publicKey,
    issuedAt: now,
    expiresAt: now + 86_400_000,
    meaning: meaningHash(meaning),
    ...changes,
  }
  const { bytes, signature } = await signConsent(consent, signerFromDeviceKey(key))
  return { bytes: toBase64url(bytes), signature: toBase64url(signature) }
}

async function begin(who: Member, changes: Partial<Consent> = {}) {
  return ask(who, 'POST', '/v1/enrolments/simulator', { consent: await consentOf(who, changes) })
}

const complete = (who: Member, id: string, body: unknown) =>
  ask(who, 'POST', `/v1/enrolments/simulator/${id}/signature`, body)

async function enrol(who: Member): Promise<string> {
  const { body } = await begin(who)
  const signature = simulatorSignature(who.client.wallet, body.text)
  const { status } = await complete(who, body.id, { signature })
  expect(status).toBe(200)
  return body.id
}

describe('a consent', () => {
  it.each<[string, string, () => Partial<Consent>]>([
    ['another gateway', 'consent-mismatch', () => ({ gateway: 'b'.repeat(26) })],
    [
      'another device of the gateway',
      'consent-mismatch',
      () => ({ gatewayDevice: generateDeviceKey().publicKey }),
    ],
    ['another network', 'consent-mismatch', () => ({ network: 'xmtp' })],
    ['another wallet', 'consent-mismatch', () => ({ wallet: bob.client.wallet })],
    ['other terms', 'consent-mismatch', () => ({ meaning: meaningHash('everything is allowed') })],
    ['long ago', 'consent-expired', () => ({ issuedAt: Date.now() - 11 * 60_000 })],
    ['the future', 'consent-expired', () => ({ issuedAt: Date.now() + 5 * 60_000 })],
    [
      'a time that is over',
      'consent-expired',
      () => ({ issuedAt: Date.now() - 9_000, expiresAt: Date.now() - 1 }),
    ],
  ])('of %s is refused: %s', async (_, code, changes) => {
    expect((await begin(alice, changes())).body.code).toBe(code)
  })

  it('that the device of the session did not sign is refused', async () => {
    const stranger = generateDeviceKey()
    const forged = await consentOf(alice, {}, stranger.privateKey)
    const other = await consentOf(alice, { device: stranger.publicKey }, stranger.privateKey)
    const borrowed = await consentOf(alice)
    for (const [who, consent, code] of [
      [alice, forged, 'consent-signature-invalid'],
      [alice, other, 'consent-mismatch'],
      [bob, borrowed, 'consent-mismatch'],
      [alice, { ...borrowed, bytes: toBase64url(utf8Encode('no consent')) }, 'consent-malformed'],
    ] as const) {
      expect((await ask(who, 'POST', '/v1/enrolments/simulator', { consent })).body.code).toBe(code)
    }
  })

  it('counts once, also after the enrolment has ended', async () => {
    const carol = await member()
    const consent = await consentOf(carol)
    const first = await ask(carol, 'POST', '/v1/enrolments/simulator', { consent })
    expect(first.status).toBe(201)
    const repeated = await ask(carol, 'POST', '/v1/enrolments/simulator', { consent })
    expect(repeated.body.code).toBe('consent-used')
    const signature = simulatorSignature(carol.client.wallet, first.body.text)
    expect((await complete(carol, first.body.id, { signature })).body.state).toBe('active')
    await ask(carol, 'DELETE', `/v1/enrolments/simulator/${first.body.id}`)
    const again = await ask(carol, 'POST', '/v1/enrolments/simulator', { consent })
    const signed = { signature: simulatorSignature(carol.client.wallet, again.body.text) }
    expect((await complete(carol, again.body.id, signed)).body.code).toBe('consent-used')
    await ask(carol, 'DELETE', `/v1/enrolments/simulator/${again.body.id}`)
  })
})

describe('an enrolment', () => {
  it('needs a session, and a network that has hop mode', async () => {
    const body = { consent: await consentOf(alice) }
    expect((await call(gateway.url, 'POST', '/v1/enrolments/simulator', body)).status).toBe(401)
    expect((await call(gateway.url, 'GET', '/v1/enrolments')).status).toBe(401)
    expect((await ask(alice, 'POST', '/v1/enrolments/xmtp', body)).body.code).toBe('enrolment-unsupported')
    expect((await ask(alice, 'POST', '/v1/enrolments/simulator', { ...body, wallet: 'x' })).status).toBe(400)
  })

  it('is completed by the wallet alone, with its own signature', async () => {
    const { body } = await begin(alice)
    const right = { signature: simulatorSignature(alice.client.wallet, body.text) }
    const wrong = { signature: simulatorSignature(bob.client.wallet, body.text) }
    expect((await complete(alice, body.id, wrong)).body.code).toBe('enrolment-signature-refused')
    expect((await complete(bob, body.id, right)).body.code).toBe('enrolment-unknown')
    expect((await complete(alice, randomHex(16), right)).body.code).toBe('enrolment-unknown')
    const handover = await sealSecret({
      secret: utf8Encode('a key'),
      publicKey: fromBase64url(info.encryptionKey),
      purpose: ['causeway/handover/1'],
    })
    const withKey = { ...right, handover: toBase64url(handover) }
    expect((await complete(alice, body.id, withKey)).body.code).toBe('enrolment-handover-invalid')
    expect((await complete(alice, body.id, right)).body).toMatchObject({ id: body.id, state: 'active' })
    expect((await complete(alice, body.id, right)).body.code).toBe('enrolment-unknown')
    expect((await begin(alice)).body.code).toBe('enrolment-exists')
  })

  it('is seen and ended by its wallet alone', async () => {
    const [own] = (await ask(alice, 'GET', '/v1/enrolments')).body.enrolments
    expect(own).toMatchObject({ network: 'simulator', state: 'active', meaning })
    expect(JSON.stringify(own)).not.toContain('secret')
    expect((await ask(bob, 'GET', '/v1/enrolments')).body).toEqual({ enrolments: [] })
    expect((await ask(bob, 'DELETE', `/v1/enrolments/simulator/${own.id}`)).body.code).toBe(
      'enrolment-unknown',
    )
    expect((await ask(alice, 'DELETE', `/v1/enrolments/waku/${own.id}`)).body.code).toBe('enrolment-unknown')
    expect((await ask(alice, 'GET', '/v1/enrolments')).body.enrolments[0].state).toBe('active')
  })

  it('is one of as many as the operator allows', async () => {
    const others = [await member(), await member()]
    const begun: string[] = []
    for (const who of others) begun.push((await begin(who)).body.id)
    expect((await begin(await member())).body.code).toBe('enrolment-limit')
    for (const [index, who] of others.entries())
      await ask(who, 'DELETE', `/v1/enrolments/simulator/${begun[index]}`)
  })

  it('ends with the device that consented to it', async () => {
    const signer = Wallet.createRandom()
    const [first, second] = [await member({ signer }), await member({ signer })]
    const id = await enrol(first)
    await second.client.revokeDevice({ publicKey: first.device.publicKey, label: 'Causeway client' })
    const writer = `sim:${randomHex(16)}`
    const direct = network.natives.direct(writer, simulatorAddress(second.client.wallet))
    network.natives.post({ address: writer, client: 'x' }, direct.id, {
      content: { type: 'xmtp.org/text:1.0', parameters: {}, fallback: null, bytes: utf8Encode('hello') },
    })
    const ended = await waitFor(
      async () => {
        const { enrolments } = (await ask(second, 'GET', '/v1/enrolments')).body
        return enrolments.find((one: { id: string; state: string }) => one.id === id && one.state === 'ended')
      },
      { what: 'the end of the enrolment' },
    )
    expect(ended.reason).toBe('device-revoked')
    expect(await second.client.inbox()).toEqual([])
  })
})

describe('a hop request', () => {
  async function request(
    who: Member,
    changes: { header?: Partial<EnvelopeHeader>; keys?: Uint8Array[] } = {},
  ) {
    const to = bob.client.wallet
    const content = {
      salt: crypto.getRandomValues(new Uint8Array(16)),
      replaces: null,
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: null,
      contentType: 'xmtp.org/text:1.0',
      parameters: {},
      fallback: null,
      content: utf8Encode('hello'),
    }
    const asked = { gateway: info.id, network: 'simulator', conversation: null, kind: 'direct' as const }
    const { bytes } = await sealEnvelope({
      header: {
        suite: SUITE.x25519,
        from: who.client.wallet,
        device: who.device.publicKey,
        to: [to],
        conversation: directConversation(who.client.wallet, to),
        contentType: 'xmtp.org/text:1.0',
        created: Date.now(),
        ttl: 0,
        nonce: crypto.getRandomValues(new Uint8Array(16)),
        replyTo: null,
        flags: FLAGS.hop,
        ext: encodeHopRequest(asked),
        ...changes.header,
      },
      content,
      recipients: (changes.keys ?? [fromBase64url(info.encryptionKey)]).map((publicKey) => ({ publicKey })),
      sign: signerFromDeviceKey(who.device.privateKey),
    })
    return (await ask(who, 'POST', '/v1/envelopes', bytes)).body
  }

  it('needs an enrolment here', async () => {
    expect((await request(bob)).code).toBe('hop-not-enrolled')
    const elsewhere = encodeHopRequest({
      gateway: 'another',
      network: 'simulator',
      conversation: null,
      kind: 'direct',
    })
    expect((await request(alice, { header: { ext: elsewhere } })).code).toBe('hop-not-enrolled')
  })

  it('must open for the gateway, and name what it is', async () => {
    const { publicKey } = await generateEncryptionKeyPair(SUITE.x25519)
    expect((await request(alice, { keys: [publicKey] })).code).toBe('hop-key-missing')
    expect((await request(alice, { header: { ext: {} } })).code).toBe('envelope-header-invalid')
    const other = directConversation(alice.client.wallet, `eip155:*:0x${randomHex(20)}`)
    expect((await request(alice, { header: { conversation: other } })).code).toBe('envelope-header-invalid')
    // What only a gateway says.
    const origin = {
      hop: {
        gateway: info.id,
        network: 'simulator',
        id: 'native-1',
        conversation: 'c',
        kind: 'direct',
        sender: 'x',
        known: true,
        own: false,
      },
    }
    expect((await request(alice, { header: { ext: origin } })).code).toBe('envelope-header-invalid')
  })
})

describe('an attestation', () => {
  it('is believed by the wallet’s devices for the consent that comes with it, and for nothing else', async () => {
    const address = `sim:${randomHex(16)}`
    const { id } = network.natives.direct(address, simulatorAddress(alice.client.wallet))
    const content = {
      type: 'xmtp.org/text:1.0',
      parameters: {},
      fallback: null,
      bytes: utf8Encode('attested'),
    }
    network.natives.post({ address, client: 'x' }, id, { content })
    const item = await waitFor(
      async () =>
        (await ask(alice, 'GET', '/v1/inbox?limit=200')).body.items.find(
          (one: { mode: string }) => one.mode === 'hop',
        ),
      { what: 'the message' },
    )
    const sealed = fromBase64url(item.sealed)
    const certificate = fromBase64url(item.certificate)
    const { consent } = decodeHopCertificate(certificate)
    const frame = (of: Uint8Array | null, bytes = sealed) =>
      encodeFrame({ kind: 1, id: decodeSealed(bytes).id, bytes, trace: [], mode: 'hop', certificate: of })
    const stranger = generateDeviceKey()
    const forged = await signConsent(
      {
        gateway: info.id,
        gatewayDevice: fromBase64url(info.publicKey),
        network: 'simulator',
        wallet: alice.client.wallet,
        device: stranger.publicKey,
        issuedAt: Date.now() - 1_000,
        expiresAt: Date.now() + 60_000,
        meaning: meaningHash(meaning),
      },
      signerFromDeviceKey(stranger.privateKey),
    )
    const tampered = {
      ...consent,
      signature: consent.signature.map((byte, index) => (index === 5 ? byte ^ 1 : byte)),
    }
    const refused = [
      frame(null),
      frame(utf8Encode('no certificate')),
      frame(encodeHopCertificate({ consent: forged, device: null })),
      frame(encodeHopCertificate({ consent: tampered, device: null })),
    ]
    for (const bytes of refused) {
      await expect(alice.client.receive(bytes, { network: 'waku' })).rejects.toMatchObject({
        code: 'gateway-not-trusted',
      })
    }
    expect(decodeFrame(frame(certificate)).mode).toBe('hop')
    expect((await alice.client.receive(frame(certificate), { network: 'waku' }))?.text).toBe('attested')
    // Another wallet is not served with it.
    expect((await ask(bob, 'GET', `/v1/envelopes/${item.id}`)).body.code).toBe('envelope-not-found')
    await expect(bob.client.receive(frame(certificate), { network: 'waku' })).rejects.toMatchObject({
      code: 'message-not-ours',
    })
    // Nor are its devices, once the consent was taken back.
    const [own] = (await alice.client.enrolments.list()).filter(({ state }) => state === 'active')
    await alice.client.enrolments.revoke(own!)
    const { messages } = { messages: await alice.client.inbox({ limit: 200 }) }
    expect(messages.find((entry) => entry.id === item.id)?.message?.text).toBe('attested')
  })
})
