/** The client library against a whole gateway: what it refuses, and what it gets through. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { waitFor } from '../../src/adapter/testing/index.ts'
import {
  type Client,
  type ClientOptions,
  createApi,
  createClient,
  type InboxEntry,
  memoryStorage,
  readGateway,
  webStorage,
} from '../../src/client/index.ts'
import { fromBase64url, generateDeviceKey, toBase64url } from '../../src/envelope/index.ts'
import { decodePrekey } from '../../src/identity/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const DAY = 86_400_000
const MINUTE = 60_000
let directory: string
let gateway: TestGateway
let url: string
let ended = new AbortController()

/** What a network between client and gateway does to a request; null for nothing. */
type Interference = (
  path: string,
  init: RequestInit,
  call: () => Promise<Response>,
) => Promise<Response> | null

const start = (port = 0) =>
  startTestGateway({
    networks: { waku: 'sandbox' },
    data: { directory },
    server: { port },
    limits: { signInsPerMinute: 10_000, addressPerSecond: 10_000, addressBurst: 10_000 },
  })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-client-'))
  gateway = await start()
  url = gateway.url
}, 60_000)

afterEach(() => {
  ended.abort()
  ended = new AbortController()
})

afterAll(async () => {
  await gateway?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

function through(interfere: Interference): typeof fetch {
  return async (input, init = {}) => {
    const path = new URL(String(input)).pathname
    const answer = interfere(path, init, () => fetch(input, init))
    return answer ?? fetch(input, init)
  }
}

async function signIn(options: Partial<ClientOptions> = {}): Promise<Client> {
  const client = await createClient({ gateway: url, signer: Wallet.createRandom(), ...options })
  await client.signIn()
  return client
}

/** Collects what the stream yields until the test ends. */
async function listen(client: Client, options: { after?: string; onRetry?: () => void } = {}) {
  const entries: InboxEntry[] = []
  const done = (async () => {
    for await (const entry of client.messages({ signal: ended.signal, ...options })) entries.push(entry)
  })()
  return { entries, done, texts: () => entries.map(({ message }) => message?.text) }
}

/** Listens from now on: returns once the stream is open. */
async function listenNow(client: Client, options: { onRetry?: () => void } = {}) {
  const cursor = (await client.inbox({ limit: 200 })).at(-1)?.cursor
  return listen(client, { ...options, after: cursor ?? (await firstCursor()) })
}

/** Cursor of the begin of every inbox of this store. */
async function firstCursor(): Promise<string> {
  return `${await gateway.gateway.store.getAdapterValue('_http', 'store-epoch')}.0`
}

const problem = (status: number, headers: Record<string, string> = {}) =>
  new Response('{"code":"internal-error"}', { status, headers })

describe('a gateway that lies', () => {
  it('about the keys of a wallet seen before: peer-not-trusted', async () => {
    const bob = await signIn()
    const storage = memoryStorage()
    let lying = false
    let now = Date.now()
    const alice = await signIn({
      storage,
      now: () => now,
      fetch: through((path) =>
        lying && path.includes(encodeURIComponent(bob.wallet)) && path.endsWith('/keys')
          ? Promise.resolve(Response.json({ wallet: bob.wallet, log: [], prekeys: [] }))
          : null,
      ),
    })
    await alice.seal({ to: bob.account, text: 'seen for the first time' })
    lying = true
    now += 2 * MINUTE
    await expect(alice.seal({ to: bob.account, text: 'no' })).rejects.toMatchObject({
      code: 'peer-not-trusted',
    })
  })

  it('about the device or the domain to sign for: challenge-not-ours, and nothing is signed', async () => {
    const { domain } = await readGateway(url)
    const stranger = toBase64url(generateDeviceKey().publicKey)
    const swapDevice = through((path, init) => {
      if (path !== '/v1/auth/challenge') return null
      const body = JSON.parse(String(init.body)) as { device: { publicKey: string } }
      body.device.publicKey = stranger
      return fetch(`${url}${path}`, { ...init, body: JSON.stringify(body) })
    })
    const swapDomain = through((path, _init, call) =>
      path === '/v1/auth/challenge'
        ? call().then(async (response) => {
            const text = await response.text()
            return new Response(text.replaceAll(domain, 'bank.example'), response)
          })
        : null,
    )
    const lies: Partial<ClientOptions>[] = [
      { fetch: swapDevice },
      { fetch: swapDomain },
      { domain: 'bank.example' },
    ]
    for (const options of lies) {
      const signer = Wallet.createRandom()
      const signMessage = vi.spyOn(signer, 'signMessage')
      await expect(signIn({ signer, ...options })).rejects.toMatchObject({ code: 'challenge-not-ours' })
      expect(signMessage).not.toHaveBeenCalled()
    }
  })
})

describe('a message', () => {
  it('from the future, over its time, or of a revoked device is refused', async () => {
    let bobsNow = Date.now()
    const bob = await signIn({ now: () => bobsNow })
    const arrive = (frame: Uint8Array) => bob.receive(frame, { network: 'waku' })

    const ahead = await signIn({ now: () => Date.now() + 10 * MINUTE })
    const early = await ahead.seal({ to: bob.account, text: 'tomorrow' })
    await expect(arrive(early.frame)).rejects.toMatchObject({ code: 'message-from-future' })

    const alice = await signIn()
    const brief = await alice.seal({ to: bob.account, text: 'quick', ttlSeconds: 60 })
    bobsNow += 2 * MINUTE
    await expect(arrive(brief.frame)).rejects.toMatchObject({ code: 'message-expired' })

    const carol = await signIn()
    const last = await carol.seal({ to: bob.account, text: 'stolen' })
    await carol.revokeDevice()
    await expect(arrive(last.frame)).rejects.toMatchObject({ code: 'sender-not-trusted' })
    await expect(arrive(last.frame), 'again').rejects.toMatchObject({ code: 'sender-not-trusted' })
  })

  it('is shown once, whether the network or the stream brings it first, and both are told', async () => {
    const [alice, bob] = [await signIn(), await signIn()]
    const live = await listenNow(bob)
    const first = await alice.send({ to: bob.account, text: 'http first' })
    await waitFor(() => live.entries.length === 1)
    expect(await bob.receive(first.frame, { network: 'waku' })).toBeNull()
    const second = await alice.seal({ to: bob.account, text: 'waku first' })
    expect(await bob.receive(second.frame, { network: 'waku' })).toMatchObject({
      text: 'waku first',
      via: 'waku',
    })
    await alice.submit(second)
    await alice.send({ to: bob.account, text: 'the end' })
    await waitFor(() => live.entries.length === 2)
    expect(live.texts()).toEqual(['http first', 'the end'])
    await bob.flush()
    const { checkpoints } = await alice.journey(first.id)
    const delivered = checkpoints.filter(({ name }) => name === 'delivered').map(({ network }) => network)
    expect(delivered.sort()).toEqual(['http', 'waku'])
  })

  it('reaches every device of a wallet, and the other devices of its sender', async () => {
    const [alices, bobs] = [Wallet.createRandom(), Wallet.createRandom()]
    const [phone, laptop] = [await signIn({ signer: alices }), await signIn({ signer: alices })]
    const devices = [await signIn({ signer: bobs }), await signIn({ signer: bobs })]
    const streams = await Promise.all([laptop, ...devices].map((client) => listenNow(client)))
    await phone.send({ to: devices[0]!.account, text: 'to all of them' })
    await waitFor(() => streams.every(({ entries }) => entries.length === 1))
    for (const { entries } of streams) expect(entries[0]).toMatchObject({ error: null })
    expect(streams.map(({ entries }) => entries[0]!.message!.direction)).toEqual([
      'sent',
      'received',
      'received',
    ])
    expect((await laptop.inbox()).map(({ message }) => message?.text)).toEqual(['to all of them'])
  })
})

describe('the live stream', () => {
  it('neither waits for receipts nor ends for them, and posts them together', async () => {
    const [alice] = [await signIn()]
    let posts = 0
    const bob = await signIn({
      fetch: through((path) => {
        if (path !== '/v1/receipts') return null
        return ++posts <= 2 ? Promise.resolve(problem(posts === 1 ? 429 : 503)) : null
      }),
    })
    const live = await listenNow(bob)
    const sent = await Promise.all(
      Array.from({ length: 30 }, (_, n) => alice.send({ to: bob.account, text: `message ${n}` })),
    )
    await waitFor(() => live.entries.length === 30)
    await waitFor(() => posts > 2)
    await bob.flush()
    expect(posts).toBeLessThan(10)
    for (const { id } of [sent[0]!, sent[29]!]) {
      const { checkpoints } = await alice.journey(id)
      expect(checkpoints.some(({ name, network }) => name === 'delivered' && network === 'http')).toBe(true)
    }
  })

  it('waits for keys that cannot be fetched now, and drops nothing', async () => {
    const alice = await signIn()
    const failures = [
      () => Promise.reject(new TypeError('connection reset')),
      () => Promise.resolve(problem(429, { 'retry-after': '0' })),
      () => Promise.resolve(problem(503)),
    ]
    const bob = await signIn({
      fetch: through((path) => (path.endsWith('/keys') ? (failures.shift()?.() ?? null) : null)),
    })
    const onRetry = vi.fn()
    const live = await listenNow(bob, { onRetry })
    await alice.send({ to: bob.account, text: 'patience' })
    await alice.send({ to: bob.account, text: 'is rewarded' })
    await waitFor(() => live.entries.length === 2)
    expect(live.texts()).toEqual(['patience', 'is rewarded'])
    expect(onRetry).toHaveBeenCalledTimes(3)
  })

  it('closes a gap from the inbox when the gateway cannot go on from the cursor', async () => {
    const [alice, bob] = [await signIn(), await signIn()]
    for (const text of ['one', 'two']) await alice.send({ to: bob.account, text })
    const seen = (await bob.inbox())[0]!
    const before = await listen(bob, { after: await firstCursor() })
    await waitFor(() => before.entries.length === 2)
    ended.abort()
    await before.done
    ended = new AbortController()
    await alice.send({ to: bob.account, text: 'missed' })
    // The cursor of a store that is no more, e.g. before the gateway was restored from a backup.
    const live = await listen(bob, {
      after: seen.cursor.replace(/^./, (digit) => (digit === '0' ? '1' : '0')),
    })
    await waitFor(() => live.entries.length === 1)
    await alice.send({ to: bob.account, text: 'live again' })
    await waitFor(() => live.entries.length === 2)
    expect(live.texts()).toEqual(['missed', 'live again'])
  })

  it('publishes the prekeys of the day while it only listens', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      let now = Date.now() - DAY - MINUTE
      const bob = await signIn({ now: () => now })
      const newest = async () => {
        const { prekeys } = await createApi(url).get<{ prekeys: { bytes: string }[] }>(
          `/v1/wallets/${encodeURIComponent(bob.wallet)}/keys`,
        )
        expect(prekeys).toHaveLength(2)
        return prekeys.map(({ bytes }) => decodePrekey(fromBase64url(bytes)).notBefore)
      }
      const yesterday = now
      expect(await newest()).toEqual([yesterday, yesterday])
      const live = await listenNow(bob)
      now = Date.now()
      await waitFor(async () => {
        vi.advanceTimersByTime(15 * MINUTE)
        return (await newest()).every((time) => time === now)
      })
      const alice = await signIn()
      await alice.send({ to: bob.account, text: 'to the keys of today' })
      await waitFor(() => live.entries.length === 1)
      expect(live.texts()).toEqual(['to the keys of today'])
    } finally {
      vi.useRealTimers()
    }
  })

  it('goes on where it was when the gateway starts again', async () => {
    const [alice, bob] = [await signIn(), await signIn()]
    const onRetry = vi.fn()
    const live = await listenNow(bob, { onRetry })
    await alice.send({ to: bob.account, text: 'before' })
    await waitFor(() => live.entries.length === 1)
    await gateway.stop()
    await waitFor(() => onRetry.mock.calls.length > 1)
    gateway = await start(Number(new URL(url).port))
    expect(gateway.url).toBe(url)
    await alice.send({ to: bob.account, text: 'after' })
    await waitFor(() => live.entries.length === 2, { timeoutMs: 30_000 })
    expect(live.texts()).toEqual(['before', 'after'])
    ended.abort()
    await live.done
  })
})

describe('a device', () => {
  it('that was away for three weeks is still within reach', async () => {
    const past = Date.now() - 21 * DAY
    const storage = memoryStorage()
    const signer = Wallet.createRandom()
    const bob = await signIn({ signer, storage, now: () => past })
    const alice = await signIn()
    await alice.send({ to: bob.account, text: 'are you there?' })
    const back = await signIn({ signer, storage })
    expect((await back.inbox()).map(({ message }) => message?.text)).toEqual(['are you there?'])
  })

  it('is the same again from browser storage, without another signature', async () => {
    const items = new Map<string, string>()
    const browser = {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => void items.set(key, value),
      removeItem: (key: string) => void items.delete(key),
    }
    const signer = Wallet.createRandom()
    const signMessage = vi.spyOn(signer, 'signMessage')
    const first = await signIn({ signer, storage: webStorage(browser) })
    const alice = await signIn()
    await alice.send({ to: first.account, text: 'remember me' })
    const again = await signIn({ signer, storage: webStorage(browser) })
    expect(signMessage).toHaveBeenCalledTimes(1)
    expect((await again.inbox()).map(({ message }) => message?.text)).toEqual(['remember me'])
    await again.signOut()
    expect([...items.keys()].some((key) => key.endsWith('session'))).toBe(false)
  })
})
