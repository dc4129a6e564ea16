/**
 * Hop mode is where the gateway reads: its keys, the secrets of enrolments and what it reads stay in memory. The one exception
 * is the master key, in the one file that is made for it.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createSimulatedNetwork,
  type SimulatedNetwork,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import type { NativeContent } from '../../src/adapter/index.ts'
import { randomHex, waitFor } from '../../src/adapter/testing/index.ts'
import { type Client, createClient, memoryStorage } from '../../src/client/index.ts'
import { createCustody, parseMasterKey } from '../../src/custody.ts'
import { utf8Decode, utf8Encode } from '../../src/envelope/index.ts'
import { loadGatewayKey } from '../../src/gateway-key.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'
import { type Canary, canary, findCanaries, readFolder } from './canaries.ts'

const HEARD = 'canary of what is heard: the orchard key hangs behind the clock'
const SENT = 'canary of what is sent: 8 p.m. at the northern gate'
const FALLBACK = 'canary of a fallback: a picture of the orchard'

let directory: string
let network: SimulatedNetwork
let running: RunningGateway
let client: Client
let enrolmentId: string
const lines: string[] = []
const canaries: Canary[] = []
const answers: string[] = []

async function ask(method: string, path: string, token?: string, body?: unknown): Promise<void> {
  const response = await fetch(running.url + path, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  answers.push(await response.text())
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-hop-secrets-'))
  network = createSimulatedNetwork({ name: `hop-secrets-${process.pid}-${randomHex(4)}` })
  running = await startGateway({
    values: { server: { port: 0 }, data: { directory }, networks: { simulator: { network: network.name } } },
    log: createLog({ level: 'trace', destination: { write: (line) => lines.push(line) } }),
  })
}, 60_000)

afterAll(async () => {
  await running?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

async function masterKey(): Promise<Uint8Array> {
  return parseMasterKey(await readFile(join(directory, 'master.key'), 'utf8'))!
}

async function places(): Promise<Map<string, Uint8Array>> {
  return new Map([
    ...[...(await readFolder(directory))].map(([name, bytes]) => [`file ${name}`, bytes] as const),
    ['logs', Buffer.from(lines.join(''))],
    ['answers', Buffer.from(answers.join('\n'))],
    ['metrics', Buffer.from(await (await fetch(`${running.url}/metrics`)).text())],
  ])
}

it('enrolling, hearing and sending leave no secret and no plaintext behind', async () => {
  const storage = memoryStorage()
  client = await createClient({ gateway: running.url, signer: Wallet.createRandom(), storage })
  await client.signIn()
  const { token } = JSON.parse((await storage.get('session'))!) as { token: string }
  const begun = await client.enrolments.begin('simulator')
  const signature = simulatorSignature(client.wallet, begun.text)
  enrolmentId = (await client.enrolments.complete(begun, { signature })).id
  const stored = await running.gateway.store.getEnrolment(enrolmentId)
  const custody = createCustody({ key: await masterKey(), previous: [] })
  const { secret } = custody.unwrap(stored!.secret!, { id: enrolmentId, network: 'simulator' })
  expect(secret).toHaveLength(32)
  canaries.push(
    canary('secret of the enrolment', secret),
    canary('encryption key of the gateway', (await loadGatewayKey(directory)).encryption.privateKey),
    canary('what was heard', HEARD),
    canary('what was sent', SENT),
    canary('fallback', FALLBACK),
  )

  const address = `sim:${randomHex(16)}`
  network.natives.register(`eip155:*:0x${'cd'.repeat(20)}`, address)
  const heard: string[] = []
  network.natives.join({
    id: 'outside',
    address,
    receive: async ({ content }) => void heard.push(utf8Decode(content.bytes)),
  })
  const { id } = network.natives.direct(address, simulatorAddress(client.wallet))
  const contents: NativeContent[] = [
    { type: 'xmtp.org/text:1.0', parameters: {}, fallback: FALLBACK, bytes: utf8Encode(HEARD) },
    { type: 'no type at all', parameters: { name: FALLBACK }, fallback: FALLBACK, bytes: utf8Encode(HEARD) },
    { type: 'xmtp.org/text:1.0', parameters: {}, fallback: null, bytes: utf8Encode(HEARD.repeat(2_000)) },
  ]
  for (const content of contents) network.natives.post({ address, client: 'outside' }, id, { content })
  const inbox = await waitFor(
    async () => {
      const entries = await client.inbox({ limit: 200 })
      return entries.length === 3 && entries
    },
    { what: 'the messages' },
  )
  expect(inbox.map(({ message }) => message?.contentType).sort()).toEqual([
    'causeway/too-large:1.0',
    'causeway/unnamed:1.0',
    'xmtp.org/text:1.0',
  ])
  const sent = await client.send({
    to: inbox[0]!.message!.from,
    text: SENT,
    mode: 'hop',
    network: 'simulator',
    native: { conversation: id, kind: 'direct' },
  })
  await waitFor(() => heard.includes(SENT), { what: 'the native message' })
  // Failures on the way.
  network.faults.answerLoss(1)
  await client.send({ to: `eip155:*:0x${'ef'.repeat(20)}`, text: SENT, mode: 'hop', network: 'simulator' })
  network.faults.answerLoss(0)
  await ask('POST', `/v1/enrolments/simulator/${enrolmentId}/signature`, token, {
    signature: HEARD,
    handover: 'AA',
  })
  await ask('POST', '/v1/enrolments/simulator', token, { consent: { bytes: 'AA', signature: 'AA' } })
  for (const path of [
    '/v1/enrolments',
    '/v1/inbox',
    `/v1/envelopes/${sent.id}`,
    `/v1/envelopes/${sent.id}/journey`,
  ])
    await ask('GET', path, token)
  for (const path of ['/v1/gateway', '/v1/networks']) await ask('GET', path)
  expect(answers.join('')).toContain(sent.id)
  expect(findCanaries(canaries, await places())).toEqual([])
})

it('the master key stands in its file alone, readable by its owner, and its making was said', async () => {
  const found = findCanaries([canary('master key', await masterKey())], await places())
  expect(found.length).toBeGreaterThan(0)
  expect(found.filter((text) => !text.endsWith('in file master.key'))).toEqual([])
  expect((await stat(join(directory, 'master.key'))).mode & 0o077).toBe(0)
  expect(lines.join('')).toContain('a master key was made')
})

it('the end of an enrolment leaves nothing, wrapped or not, and what the inbox has stays sealed', async () => {
  const wrapped = (await running.gateway.store.getEnrolment(enrolmentId))!.secret!
  await client.enrolments.revoke({ network: 'simulator', id: enrolmentId })
  const ended = canary('the wrapped secret', wrapped.subarray(-48))
  expect(findCanaries([...canaries, ended], await places())).toEqual([])
})
