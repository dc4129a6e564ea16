/**
 * Secrets and plaintexts stay where they belong: not in logs of any level, answers of the API, metrics, journeys, or files. The
 * one exception is the gateway's own key, in the one file that is made for it.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { TrtcSandbox } from '../../adapters/trtc/sandbox/index.ts'
import { type Client, createClient, memoryStorage } from '../../src/client/index.ts'
import { call, until } from '../../src/http/testing/bench.ts'
import { startTestChain, type TestChain } from '../../src/identity/testing/chain.ts'
import { deployAccount, testOwner } from '../../src/identity/testing/smart-accounts.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'
import { type Canary, canary, findCanaries, readFolder } from './canaries.ts'
import { connectSocket, speakTcp } from './clients.ts'

const ADMIN_TOKEN = 'canary-admin-token-4d1f0c7a9b'
const RPC_KEY = 'canary-rpc-key-91be03d2c5'
const TEXT = 'canary plaintext: the meeting is at dawn, bring 4711 lanterns'

interface Writer {
  client: Client
  token: string
}

let directory: string
let running: RunningGateway
let trtc: TrtcSandbox
let chain: TestChain
let alice: Writer
let bob: Writer
const lines: string[] = []
const canaries: Canary[] = []
/** Answers of the API, but those that hand a caller its own secret. */
const answers = new Map<string, Uint8Array>()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-secrets-'))
  chain = await startTestChain()
  running = await startGateway({
    values: {
      server: { port: 0 },
      data: { directory },
      admin: { token: ADMIN_TOKEN },
      identity: { chains: { [chain.chainId]: { rpcUrl: `${chain.url}/${RPC_KEY}?key=${RPC_KEY}` } } },
      limits: { signInsPerMinute: 1_000, walletPerSecond: 10_000, addressPerSecond: 10_000 },
      networks: { trtc: 'sandbox', waku: 'sandbox' },
    },
    log: createLog({ level: 'trace', destination: { write: (line) => lines.push(line) } }),
  })
  trtc = running.sandboxes.get('trtc') as TrtcSandbox
  const { secretKey, webhookToken, webhookSecret } = trtc.app
  plant('secret key of TRTC', secretKey)
  plant('webhook token', webhookToken)
  plant('webhook secret', webhookSecret)
  plant('admin token', ADMIN_TOKEN)
  plant('key in the URL of a node', RPC_KEY)
  plant('plaintext', TEXT)
  alice = await signIn('Alice')
  bob = await signIn('Bob')
}, 120_000)

afterAll(async () => {
  await running?.stop()
  await chain?.stop()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

const plant = (name: string, value: string | Uint8Array) => canaries.push(canary(name, value))

/** Signs a wallet in and plants everything that only its client may have. */
async function signIn(name: string): Promise<Writer> {
  const signer = Wallet.createRandom()
  const storage = memoryStorage()
  const client = await createClient({ gateway: running.url, signer, storage, deviceLabel: name })
  await client.signIn()
  const { token } = JSON.parse((await storage.get('session')) ?? '{}') as { token: string }
  const keyring = JSON.parse((await storage.get('keyring')) ?? '{}') as {
    device: { privateKey: string }
    prekeys: { privateKey: string }[]
  }
  plant(`wallet key of ${name}`, Buffer.from(signer.privateKey.slice(2), 'hex'))
  // The first half is the seed; the second is the public key.
  plant(`device key of ${name}`, Buffer.from(keyring.device.privateKey, 'base64url').subarray(0, 32))
  expect(keyring.prekeys.length).toBeGreaterThan(0)
  for (const { privateKey } of keyring.prekeys) {
    plant(`prekey of ${name}`, Buffer.from(privateKey, 'base64url'))
  }
  plant(`token of ${name}`, token)
  return { client, token }
}

async function ask(
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; keep?: boolean } = {},
) {
  const answer = await call(running.url, method, path, options.body, options.headers)
  const text = JSON.stringify([answer.body, [...answer.headers]])
  if (options.keep !== false) answers.set(`${answers.size} ${method} ${answer.status}`, Buffer.from(text))
  return answer
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Everything that the gateway has left behind so far. */
async function places(): Promise<Map<string, Uint8Array>> {
  const files = await readFolder(directory)
  expect([...files.keys()]).toContain('gateway.key')
  expect([...files.keys()].some((name) => name.startsWith('causeway.db'))).toBe(true)
  return new Map([
    ...answers,
    ...[...files].map(([name, bytes]) => [`file ${name}`, bytes] as const),
    ['logs', Buffer.from(lines.join(''))],
    ['metrics', Buffer.from(await (await fetch(`${running.url}/metrics`)).text())],
  ])
}

it('the search finds a planted secret in every spelling', () => {
  const secret = Uint8Array.from({ length: 32 }, (_, index) => 200 - index * 3)
  const found = (content: string | Buffer) =>
    findCanaries([canary('x', secret)], new Map([['place', Buffer.from(content as string)]]))
  const bytes = Buffer.from(secret)
  for (const content of [
    Buffer.concat([Buffer.from('before'), bytes]),
    `key=${bytes.toString('hex')}`,
    bytes.toString('base64'),
    bytes.toString('base64url'),
    Buffer.concat([Buffer.from('a'), bytes, Buffer.from('b')]).toString('base64'),
    Buffer.concat([Buffer.from('ab'), bytes, Buffer.from('b')]).toString('base64url'),
    `[${[...bytes].join(',')}]`,
  ]) {
    expect(found(content)).not.toEqual([])
  }
  expect(found('nothing here')).toEqual([])
})

it('messages, credentials and webhooks leave no secret behind', async () => {
  for (const [from, to] of [
    [alice, bob],
    [bob, alice],
  ] as const) {
    const { id } = await from.client.send({ to: to.client.account, text: TEXT })
    await until(
      async () => {
        const { body } = await ask('GET', `/v1/envelopes/${id}/journey`, { headers: bearer(from.token) })
        return body.deliveries.every(({ state }: { state: string }) => state === 'acknowledged')
      },
      'the message to be delivered',
      30_000,
    )
    await ask('GET', `/v1/envelopes/${id}`, { headers: bearer(to.token) })
  }
  expect((await bob.client.inbox()).some(({ message }) => message?.text === TEXT)).toBe(true)
  const credentials = { headers: bearer(alice.token), keep: false }
  const { body } = await ask('POST', '/v1/networks/trtc/credentials', credentials)
  plant('UserSig', String(body.userSig))
  await trtc.idle()
  for (const path of ['/v1/inbox', '/v1/conversations'])
    await ask('GET', path, { headers: bearer(bob.token) })
  for (const path of ['/v1/gateway', '/v1/networks', '/readyz', '/openapi.json']) await ask('GET', path)
  await ask('GET', '/v1/admin/deliveries', { headers: bearer(ADMIN_TOKEN) })
  expect(findCanaries(canaries, await places())).toEqual([])
})

it('the nodes of chains, in order and in trouble, leave no key of theirs behind', async () => {
  const account = await deployAccount(chain, testOwner(41))
  const options = { kind: 'evm-contract' as const, chainId: chain.chainId }
  const client = await createClient({ gateway: running.url, signer: account, ...options })
  const before = lines.length
  for (const trouble of [
    'refuses',
    'cuts',
    'talks-nonsense',
    'floods',
    'redirects',
    'reverts',
    null,
  ] as const) {
    chain.trouble = trouble
    await client
      .signIn()
      .catch((error: unknown) => answers.set(`sign-in, ${trouble}`, Buffer.from(String(error))))
  }
  expect([...answers.keys()].filter((name) => name.startsWith('sign-in'))).toHaveLength(6)
  expect(lines.slice(before).join('')).toContain('could not tell about a signature')
  await ask('GET', `/v1/wallets/${encodeURIComponent(account.wallet)}/keys`)
  expect(findCanaries(canaries, await places())).toEqual([])
})

it('secrets in the wrong places are not repeated', async () => {
  const { webhookToken, webhookSecret } = trtc.app
  const hook = `/hooks/trtc/${webhookSecret}`
  for (const secret of [alice.token, ADMIN_TOKEN, webhookToken]) {
    const name = encodeURIComponent(secret)
    const headers = bearer(secret)
    await ask('GET', `/v1/inbox?token=${name}`)
    await ask('GET', `/v1/stream?access_token=${name}`)
    await ask('GET', `/v1/inbox?after=${name}`, { headers: bearer(bob.token) })
    await ask('GET', `/v1/wallets/${name}`)
    await ask('GET', `/v1/envelopes/${name}`, { headers: bearer(bob.token) })
    await ask('GET', `/${name}`)
    await ask('GET', '/v1/inbox', {
      headers: { authorization: `Basic ${secret}`, cookie: `token=${secret}` },
    })
    await ask('GET', '/v1/gateway', { headers: { 'x-request-id': secret }, keep: false })
    await ask('POST', `/hooks/trtc/${name}`, { body: { secret } })
    await ask('POST', `${hook}?Sign=${name}&RequestTime=1`, { body: { secret } })
    await ask('POST', '/v1/auth/verify', { body: { challengeId: secret, signature: secret } })
    await ask('POST', '/v1/auth/challenge', {
      body: { wallet: secret, device: { publicKey: secret, label: 'x' } },
    })
    await ask('POST', '/v1/envelopes', { body: { sealed: secret }, headers: bearer(bob.token) })
    await ask('POST', '/v1/admin/networks/trtc/restart', { headers: { authorization: secret } })
    if (secret !== ADMIN_TOKEN) await ask('GET', '/v1/admin/deliveries', { headers })
    const socket = await connectSocket(running.url, null)
    socket.send(1, 1, { token: `${secret}x`, after: secret })
    answers.set(`socket ${answers.size}`, Buffer.from(JSON.stringify((await socket.answer(1))[2])))
    socket.close()
    const raw = `GET /v1/inbox?x=${name} HTTP/1.1\r\nHost: ${secret}\r\nBroken ${secret}\r\n\r\n`
    answers.set(`raw ${answers.size}`, Buffer.from(await speakTcp(running.url, raw)))
  }
  expect(findCanaries(canaries, await places())).toEqual([])
})

it('failures of every kind tell nothing', async () => {
  const { body: admin } = await ask('GET', '/v1/admin/deliveries', { headers: bearer(ADMIN_TOKEN) })
  expect(admin.deliveries.length).toBeGreaterThan(0)
  // The network refuses, breaks, loses answers and goes away.
  for (const code of [70_001, 70_003, 90_012, 60_011, 91_000, 999_999]) {
    trtc.faults.failWith(code, 2)
    await alice.client.send({ to: bob.client.account, text: TEXT })
  }
  await trtc.faults.outage(true)
  await alice.client.send({ to: bob.client.account, text: TEXT })
  await ask('POST', '/v1/networks/trtc/credentials', { headers: bearer(bob.token), keep: false })
  await ask('POST', '/v1/admin/networks/trtc/restart', { headers: bearer(ADMIN_TOKEN) })
  await ask('GET', '/v1/networks')
  await ask('GET', '/readyz')
  await trtc.faults.outage(false)
  // A revoked device, and messages to it.
  await bob.client.revokeDevice()
  await ask('GET', '/v1/inbox', { headers: bearer(bob.token) })
  await ask('GET', '/v1/admin/deliveries?limit=500', { headers: bearer(ADMIN_TOKEN) })
  for (const { id } of await alice.client.inbox()) {
    await ask('GET', `/v1/envelopes/${id}/journey`, { headers: bearer(alice.token) })
  }
  // The store is gone.
  const before = await places()
  await running.gateway.store.close()
  const broken = await ask('GET', '/v1/inbox', { headers: bearer(alice.token) })
  expect(broken.status).toBeGreaterThanOrEqual(500)
  await ask('POST', '/v1/auth/challenge', {
    body: { wallet: Wallet.createRandom().address, device: { publicKey: 'A'.repeat(43), label: 'x' } },
  })
  expect(lines.some((line) => line.includes('a request failed'))).toBe(true)
  expect(findCanaries(canaries, new Map([...before, ...(await places())]))).toEqual([])
})

it('the gateway’s own key stands in its file alone, readable by its owner', async () => {
  const files = await places()
  const key = JSON.parse(Buffer.from(files.get('file gateway.key')!).toString('utf8')) as {
    privateKey: string
  }
  const own = canary('key of the gateway', Buffer.from(key.privateKey, 'base64url').subarray(0, 32))
  const found = findCanaries([own], files)
  expect(found.length).toBeGreaterThan(0)
  expect(found.filter((text) => !text.endsWith('in file gateway.key'))).toEqual([])
  const { mode } = await stat(join(directory, 'gateway.key'))
  expect(mode & 0o077).toBe(0)
})

it('logs hold no UserSig, no token and no whole wallet address of anybody', () => {
  const text = lines.join('')
  expect(text.length).toBeGreaterThan(1_000)
  expect(text).not.toMatch(/eJ[A-Za-z0-9*_+/=-]{60,}/)
  expect(text).not.toMatch(/0x[0-9a-fA-F]{40}/)
  expect(text).not.toMatch(/\/hooks\/trtc\/(?!\[scrubbed\])[^\s"]/)
})
