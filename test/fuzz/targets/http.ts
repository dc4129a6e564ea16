/** The HTTP API over the real relay, identity and store: whatever comes, a documented answer goes out. */

import { SUITE, signerFromDeviceKey, toBase64url, toHex } from '../../../src/envelope/index.ts'
import { cursorsOf } from '../../../src/http/cursor.ts'
import { HttpError } from '../../../src/http/errors.ts'
import { problems } from '../../../src/http/index.ts'
import { type ClientFrame, decodeClientFrame, requestIdOf } from '../../../src/http/socket-protocol.ts'
import { HttpBench, type HttpGateway, type Person, type SignedIn } from '../../../src/http/testing/bench.ts'
import { signPrekey } from '../../../src/identity/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { packParts } from './container.ts'
import { relayPerson, sealedFor } from './gateway-people.ts'
import { createPerson, DAY_MS } from './people.ts'
import { Refused, textOf } from './stand-ins.ts'

const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']
const UNLIMITED = {
  walletPerSecond: 1e9,
  walletBurst: 1e9,
  addressPerSecond: 1e9,
  addressBurst: 1e9,
  signInsPerMinute: 1e9,
}
const ADMIN_TOKEN = 'fuzz-admin-token-0123456789'
/** Routes that answer without a session. */
const PUBLIC =
  /^\/(v1\/(gateway|networks|wallets\/[^/]+(\/keys)?|auth\/[a-z]+)|healthz|readyz|metrics|openapi\.json|docs.*)\/?$/

/** A request as the inputs hold it. `@alice`, `@challenge` and `@signature` stand for what only a run knows. */
interface RequestInput {
  method?: unknown
  path?: unknown
  headers?: unknown
  body?: unknown
  /** The body is base64url of bytes. */
  binary?: unknown
  /** Ask for a challenge first; the bit of its signature that is turned, counted from 1. */
  flip?: unknown
}

interface Sent {
  request: Request
  status: number
  body: unknown
  flipped: boolean
}

class Api {
  readonly gateway: HttpGateway
  readonly people: Map<string, SignedIn>
  /** Who signs in: many, because a wallet's key log grows with each time. */
  readonly visitors: readonly Person[]
  #challenges = 0

  constructor(gateway: HttpGateway, people: Map<string, SignedIn>, visitors: readonly Person[]) {
    this.gateway = gateway
    this.people = people
    this.visitors = visitors
  }

  /** Some inputs end a session or take a device's certificate away; the next ones need them again. */
  async signInAgain(): Promise<void> {
    for (const [name, { person }] of this.people) this.people.set(name, await this.gateway.signIn(person))
  }

  async send(input: RequestInput): Promise<Sent> {
    const method = METHODS.find((known) => known === input.method) ?? 'POST'
    const path = `/${textOf(input.path).replace(/^\//, '')}`
    const { challenge, signature, flipped } = await this.#challenge(input.flip)
    const fill = (text: string) =>
      text.replaceAll('@challenge', challenge).replaceAll('@signature', signature)
    const text = fill(textOf(input.body))
    const body = input.binary === true ? Buffer.from(text, 'base64url') : Buffer.from(text)
    const request = new Request(`http://gateway.example${path}`, {
      method,
      headers: this.#headers(input.headers),
      ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
    })
    const response = await this.gateway.api.app.request(request)
    const answer = await response.text()
    checkAnswer(response, answer, method)
    return { request, status: response.status, body: parsed(answer), flipped }
  }

  #headers(value: unknown): Headers {
    const headers = new Headers()
    for (const [name, item] of Object.entries(typeof value === 'object' && value !== null ? value : {})) {
      const person = this.people.get(textOf(item).replace(/^@/, ''))
      const text = person ? `Bearer ${person.token}` : textOf(item)
      if (/^[-a-z]+$/i.test(name) && /^[ -~]*$/.test(text)) headers.set(name, text)
    }
    return headers
  }

  async #challenge(flip: unknown): Promise<{ challenge: string; signature: string; flipped: boolean }> {
    if (typeof flip !== 'number') return { challenge: 'none', signature: '0x', flipped: false }
    const { identity } = this.gateway.gateway
    const person = this.visitors[this.#challenges++ % this.visitors.length]!
    const { challengeId, message } = await identity.challenge({
      wallet: `eip155:1:${person.signer.address}`,
      device: person.device,
    })
    const signature = Buffer.from((await person.signer.signMessage(message)).slice(2), 'hex')
    const flipped = flip >= 1 && flip <= 520
    const bit = Math.trunc(flip) - 1
    if (flipped) signature[bit >> 3]! ^= 1 << (bit & 7)
    return { challenge: challengeId, signature: `0x${signature.toString('hex')}`, flipped }
  }
}

/** Throws unless the answer is one that the API documents. */
function checkAnswer(response: Response, text: string, method: string): void {
  const { status } = response
  if (status < 400) return
  if (status >= 500) throw new Error(`The API answered ${status}: ${text.slice(0, 300)}`)
  if (method === 'HEAD') return
  const body = parsed(text) as { code?: string; status?: number; requestId?: string } | null
  if (response.headers.get('content-type') !== 'application/problem+json' || body === null)
    throw new Error(`The answer with status ${status} is no problem document`)
  const { code } = body
  if (code === undefined || !Object.hasOwn(problems, code))
    throw new Error(`The code ${code} is not in the registry`)
  if (problems[code as keyof typeof problems].status !== status || body.status !== status)
    throw new Error(`The code ${code} has another status than ${status}`)
  if (body.requestId !== response.headers.get('x-request-id'))
    throw new Error('The request id differs between head and body')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (_notJson) {
    return null
  }
}

async function seedsFor(
  people: ReadonlyMap<string, SignedIn>,
): Promise<{ seeds: RequestInput[]; more: RequestInput[]; ids: Set<string> }> {
  const [alice, bob] = [people.get('alice')!, people.get('bob')!]
  const envelopes = await sealedFor(alice.person, bob.person)
  const json = { authorization: '@alice', 'content-type': 'application/json' }
  const cbor = { ...json, 'content-type': 'application/cbor' }
  const { encryption } = await createPerson('alice')
  const now = Date.now()
  const { publicKey } = encryption.get(SUITE.x25519)!
  const device = alice.person.device.publicKey
  const prekey = {
    wallet: alice.wallet,
    device,
    suite: SUITE.x25519,
    publicKey,
    notBefore: now,
    notAfter: now + DAY_MS,
  }
  const signed = await signPrekey(prekey, signerFromDeviceKey(alice.person.device.privateKey))
  const [first, second] = envelopes
  const text = (value: unknown) => JSON.stringify(value)
  const label = 'Another device'
  const challenge = {
    wallet: `eip155:1:${alice.person.signer.address}`,
    device: { publicKey: toBase64url(device), label },
    action: 'add',
  }
  const receipts = { receipts: [{ id: toHex(first!.id), network: 'waku', kind: 'delivered', at: now }] }
  const wallet = encodeURIComponent(alice.wallet)
  return {
    ids: new Set(envelopes.map(({ id }) => toHex(id))),
    seeds: [
      { method: 'POST', path: '/v1/envelopes', headers: cbor, body: toBase64url(first!.bytes), binary: true },
      {
        method: 'POST',
        path: '/v1/envelopes',
        headers: json,
        body: text({ sealed: toBase64url(second!.bytes) }),
      },
      {
        method: 'POST',
        path: '/v1/envelopes/batch',
        headers: json,
        body: text({ sealed: envelopes.map(({ bytes }) => toBase64url(bytes)) }),
      },
      {
        method: 'POST',
        path: '/v1/envelopes/batch',
        headers: cbor,
        body: toBase64url(packParts(first!.bytes, second!.bytes)),
        binary: true,
      },
      { method: 'POST', path: '/v1/auth/challenge', headers: json, body: text(challenge) },
      {
        method: 'POST',
        path: '/v1/auth/verify',
        headers: json,
        body: text({ challengeId: '@challenge', signature: '@signature' }),
        flip: 0,
      },
      {
        method: 'POST',
        path: '/v1/prekeys',
        headers: json,
        body: text({
          prekeys: [{ bytes: toBase64url(signed.bytes), signature: toBase64url(signed.signature) }],
        }),
      },
      {
        method: 'PUT',
        path: `/v1/wallets/${wallet}/route`,
        headers: json,
        body: text({ policy: 'mirror', order: ['waku'], fallbackAfterMs: 100 }),
      },
      {
        method: 'PUT',
        path: `/v1/wallets/${wallet}/endpoints/waku`,
        headers: json,
        body: text({ enabled: true }),
      },
      { method: 'POST', path: '/v1/receipts', headers: json, body: text(receipts) },
      { method: 'GET', path: `/v1/envelopes/${toHex(first!.id)}/journey`, headers: json },
      { method: 'GET', path: '/v1/inbox?limit=10', headers: json },
      { method: 'GET', path: '/v1/conversations?limit=10', headers: json },
      { method: 'GET', path: `/v1/wallets/${wallet}/keys`, headers: {} },
    ],
    more: [
      {
        method: 'POST',
        path: '/v1/auth/verify',
        headers: json,
        body: text({ challengeId: '@challenge', signature: '@signature' }),
        flip: 9,
      },
      { method: 'GET', path: '/v1/inbox?after=0011223344556677.1', headers: json },
      {
        method: 'GET',
        path: '/v1/admin/deliveries?state=dead',
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      },
      { method: 'POST', path: '/hooks/waku/secret', headers: json, body: '{}' },
      { method: 'DELETE', path: '/v1/auth/session', headers: { authorization: 'Bearer none' } },
      {
        method: 'PUT',
        path: `/v1/wallets/${encodeURIComponent(bob.wallet)}/route`,
        headers: json,
        body: text({ policy: 'mirror', order: ['waku'], fallbackAfterMs: 1 }),
      },
    ],
  }
}

function tokenOf(request: Request): string | undefined {
  return /^bearer +(.*)$/i.exec(request.headers.get('authorization') ?? '')?.[1]?.trim()
}

function callerOf(request: Request, people: ReadonlyMap<string, SignedIn>): SignedIn | undefined {
  const token = tokenOf(request)
  return [...people.values()].find((person) => person.token === token)
}

function wrongIn(sent: Sent, people: ReadonlyMap<string, SignedIn>, ids: ReadonlySet<string>): string | null {
  const { request, status, body, flipped } = sent
  const { pathname } = new URL(request.url)
  if (status >= 300 || request.method === 'OPTIONS') return null
  const caller = callerOf(request, people)
  const isAdmin = tokenOf(request) === ADMIN_TOKEN && pathname.startsWith('/v1/admin/')
  if (!caller && !isAdmin && !PUBLIC.test(pathname))
    return 'an answer that needs a session was given without one'
  if (/^\/v1\/auth\/verify/.test(pathname) && flipped) return 'a turned bit in the signature signs in'
  if (
    request.method === 'PUT' &&
    caller &&
    !decodeURIComponent(pathname).toLowerCase().includes(caller.wallet.slice(-40))
  )
    return 'a wallet was changed by another one'
  if (
    /^\/v1\/envelopes\/?$/.test(pathname) &&
    request.method === 'POST' &&
    !ids.has(String((body as { id?: unknown }).id))
  )
    return 'an envelope was taken that nobody sealed'
  const results = (body as { results?: { status: number; id?: string }[] } | null)?.results ?? []
  return results.every((result) => result.status !== 202 || ids.has(String(result.id)))
    ? null
    : 'a batch took an envelope that nobody sealed'
}

export const httpTargets = [
  defineTarget<string>({
    name: 'http-api',
    format: 'json-container',
    inputs: 100_000,
    testInputs: 1_200,
    async open() {
      const bench = new HttpBench()
      const gateway = await bench.gateway({ limits: UNLIMITED, settings: { adminToken: ADMIN_TOKEN } })
      const people = new Map<string, SignedIn>()
      for (const name of ['alice', 'bob']) people.set(name, await gateway.signIn(await relayPerson(name)))
      const names = Array.from({ length: 64 }, (_, index) => `visitor ${index}`)
      const api = new Api(gateway, people, await Promise.all(names.map(relayPerson)))
      const { seeds, more, ids } = await seedsFor(people)
      return {
        seeds: seeds.map((seed) => JSON.stringify(seed)),
        hostile: more.map((request) => JSON.stringify(request)),
        async run(input) {
          gateway.lines.length = 0
          const value: unknown = JSON.parse(input)
          const sent = await api.send(typeof value === 'object' && value !== null ? value : {})
          const { code } = (sent.body ?? {}) as { code?: unknown }
          if (code === 'session-invalid' && callerOf(sent.request, people)) await api.signInAgain()
          if (sent.status >= 400) throw new Refused(typeof code === 'string' ? code : `status ${sent.status}`)
          return sent
        },
        typed: codeOfClass(Refused),
        forged: (_input, sent) => wrongIn(sent as Sent, people, ids),
        close: () => bench.close(),
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'http-socket-frame',
    format: 'cbor',
    async open() {
      const wallet = 'eip155:*:0xd8da6bf26964af9d7eed9e03e53415d37aa96045'
      return {
        seeds: [
          packParts(1, 1, { token: 'token', after: null }),
          packParts(2, 2, { wallet }),
          packParts(3, 3, { wallet, sealed: new Uint8Array(300) }),
          packParts(4, 4, {
            wallet,
            receipts: [{ id: new Uint8Array(32), network: 'waku', kind: 'read', at: 5 }],
          }),
        ],
        hostile: [new Uint8Array(0), new Uint8Array(200_000).fill(0x81), new Uint8Array(200_000).fill(0xa1)],
        run(input) {
          if (!Number.isSafeInteger(requestIdOf(input))) throw new TypeError('The request id is no integer')
          return decodeClientFrame(input)
        },
        typed: codeOfClass(HttpError),
        forged(input, frame) {
          const { requestId } = frame as ClientFrame
          return requestId === requestIdOf(input) && requestId >= 0
            ? null
            : 'the request id is read in two ways'
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'http-cursor',
    format: 'text',
    async open() {
      const cursors = cursorsOf('0011223344556677')
      return {
        seeds: [cursors.encode(0), cursors.encode(12345), cursorsOf('8899aabbccddeeff').encode(7)],
        run: (input) => cursors.decode(input),
        typed: codeOfClass(HttpError),
        forged: (input, seq) =>
          seq === null || cursors.encode(seq as number) === input ? null : 'one place has two cursors',
      }
    },
  }),
]
