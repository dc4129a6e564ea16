import { readdirSync, readFileSync } from 'node:fs'
import type { Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Enrolment, EnrolmentFacet } from '../../../src/adapter/index.ts'
import { createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { createXmtpAdapter } from '../adapter.ts'
import { configSchema } from '../config.ts'
import { startSandbox, type XmtpSandbox } from '../sandbox/index.ts'
import { clientPool, newWallet } from '../sandbox/testing/clients.ts'

const WALLETS = 50
const signal = () => AbortSignal.timeout(120_000)
const clients = clientPool()
let sandbox: XmtpSandbox

beforeAll(async () => {
  sandbox = await startSandbox({ seed: 12 })
})
afterAll(async () => {
  await clients.close()
  await sandbox.stop()
})

interface Usage {
  residentMegabytes: number
  threads: number
  files: number
}

/** Of this process; Linux alone has the files to read it from. */
function usage(): Usage | null {
  if (process.platform !== 'linux') return null
  const status = readFileSync('/proc/self/status', 'utf8')
  const number = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  return {
    residentMegabytes: Math.round(number('VmRSS') / 1024),
    threads: number('Threads'),
    files: readdirSync('/proc/self/fd').length,
  }
}

async function enrol(facet: EnrolmentFacet, wallet: Wallet, number: number): Promise<Enrolment> {
  const id = number.toString(16).padStart(32, '0')
  const account = { kind: 'evm-account' as const, address: wallet.address, chainId: 1 }
  const secret = new Uint8Array(32).fill(number)
  const request = { id, wallet: `eip155:*:${wallet.address.toLowerCase()}`, account, secret }
  const { text } = await facet.begin(request, signal())
  const completion = { id, signature: await wallet.signMessage(text), chainId: null, handover: null }
  return { ...request, ...(await facet.complete(completion, signal())) }
}

it('fifty wallets fit one process, and closing them gives back threads and files', async () => {
  const context = createRecordingContext()
  const adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context)
  const facet = adapter.enrolment as EnrolmentFacet
  await adapter.start(signal())
  const bob = await clients.client(String(sandbox.gatewayConfig.apiUrl))
  // The first client starts the SDK's own threads, which stay.
  const first = await enrol(facet, newWallet(), WALLETS)
  const before = usage()
  const enrolled = [first]
  for (let number = 1; number < WALLETS; number++) enrolled.push(await enrol(facet, newWallet(), number))
  for (const { address } of enrolled) await (await bob.conversations.createDm(address)).sendText('to each')
  const heard = () => new Set(context.natives.map(({ inbound }) => inbound.enrolment)).size
  await expect.poll(heard, { timeout: 60_000 }).toBe(WALLETS)
  const during = usage()
  for (const { id } of enrolled) await facet.close(id)
  const after = usage()

  // Woken again, it has what came meanwhile.
  await bob.conversations.getDmByInboxId(first.address)?.sendText('while closed')
  await facet.open(first, signal())
  const walked: string[] = []
  for await (const { content } of facet.walk({ enrolment: first.id, since: 0 }, signal())) {
    walked.push(Buffer.from(content.bytes).toString())
  }
  expect(walked).toEqual(expect.arrayContaining(['to each', 'while closed']))
  await adapter.stop(signal())
  await context.dispose()

  if (before && during && after) {
    console.log(`${WALLETS} enrolled wallets: ${JSON.stringify({ before, during, after })}`)
    expect(after.threads).toBeLessThanOrEqual(before.threads + 4)
    // The connections of the pool stay, for the next who opens.
    expect(after.files).toBeLessThanOrEqual(before.files + 20)
    expect(during.threads).toBeLessThan(before.threads + WALLETS)
  }
}, 240_000)

it('a smart account enrols when its contract accepts the signature', async () => {
  const context = createRecordingContext()
  const adapter = createXmtpAdapter(configSchema.parse(sandbox.gatewayConfig), context)
  const facet = adapter.enrolment as EnrolmentFacet
  await adapter.start(signal())
  const address = newWallet().address
  const account = { kind: 'evm-contract' as const, address, chainId: 8453 }
  const wallet = `eip155:8453:${address.toLowerCase()}`
  const begin = (id: string) =>
    facet.begin({ id, wallet, account, secret: new Uint8Array(32).fill(9) }, signal())
  const complete = (id: string, signature: string) =>
    facet.complete({ id, signature, chainId: null, handover: null }, signal())
  const [refused, accepted] = ['a'.repeat(32), 'b'.repeat(32)]

  await begin(refused)
  await expect(complete(refused, '0x1234')).rejects.toMatchObject({
    class: 'permanent',
    remoteCode: 'signature-invalid',
  })
  sandbox.setContractWallet(address, ({ signature }) => Buffer.from(signature).toString('hex') === '1234')
  await begin(accepted)
  const { address: inboxId } = await complete(accepted, '0x1234')
  const bob = await clients.client(String(sandbox.gatewayConfig.apiUrl))
  await (await bob.conversations.createDm(inboxId)).sendText('to a contract')
  await expect.poll(() => context.natives.length, { timeout: 30_000 }).toBe(1)
  await adapter.stop(signal())
  await context.dispose()
})
