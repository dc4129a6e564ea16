/** Starting and stopping leaves nothing behind: a process that only does that ends by itself. */
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { startSandbox } from './sandbox/index.ts'
import { neverAborted, startAdapter, testIntent } from './testing/adapter.ts'

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** Runs a module text in a process of its own; resolves with its exit code and output, or null as code after `ms`. */
function run(text: string, ms: number): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', text], {
      cwd: import.meta.dirname,
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), ms)
    child.on('exit', (code) => {
      clearTimeout(timer)
      resolve({ code, output })
    })
  })
}

const script = (config: Record<string, unknown>) => `
import definition from './index.ts'
import { createRecordingContext } from '../../src/adapter/testing/context.ts'
const context = createRecordingContext()
const adapter = definition.create(definition.config.parse(${JSON.stringify(config)}), context)
await adapter.start(new AbortController().signal)
console.log(context.lastState())
await adapter.stop(new AbortController().signal)
await context.dispose()
console.log('stopped')
`

it.each(['embedded', 'light'])(
  'a process that starts and stops the %s driver ends by itself',
  async (driver) => {
    const sandbox = await startSandbox()
    cleanups.push(() => sandbox.stop())
    const config =
      driver === 'embedded' ? sandbox.gatewayConfig : { driver, peers: [sandbox.addresses.websocket] }
    const { code, output } = await run(script(config), 45_000)
    expect(output).toContain('connected\nstopped')
    expect(code).toBe(0)
  },
)

it('a port in use is told with what to do, and taken as soon as it is free', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const waiting = startAdapter({ listen: [`/ip4/127.0.0.1/tcp/${port}/ws`], redialMaxMs: 200 })
  await new Promise((resolve) => setTimeout(resolve, 500))
  await new Promise((resolve) => server.close(resolve))
  const gateway = await waiting
  cleanups.push(() => gateway.stop())
  const failure = gateway.context.states.find(({ state }) => state === 'transientDisconnect')
  expect(failure?.reason).toContain(`tcp/${port}`)
  expect(failure?.userAction).toContain('Free the port')
})

it('an embedded node keeps its peer id over restarts and serves a lone gateway', async () => {
  const gateway = await startAdapter({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] })
  cleanups.push(() => gateway.stop())
  const peerId = () => String(gateway.adapter.describe!().multiaddrs).split('/p2p/')[1]
  const before = peerId()
  const receipt = await gateway.adapter.send(testIntent(), neverAborted)
  expect('remoteIds' in receipt && receipt.remoteIds).toHaveLength(1)
  await gateway.adapter.stop(neverAborted)
  await gateway.adapter.start(neverAborted)
  await waitFor(() => gateway.context.lastState() === 'connected')
  expect(peerId()).toBe(before)
})

it('the sandbox loses, doubles and delays on demand, and what it lost is found by a walk', async () => {
  const sandbox = await startSandbox({ seed: 3 })
  cleanups.push(() => sandbox.stop())
  const gateway = await startAdapter(sandbox.gatewayConfig)
  cleanups.push(() => gateway.stop())
  const { connectClient } = await import('./sandbox/index.ts')
  const intent = testIntent()
  const description = { clusterId: 42, shards: 8, multiaddrs: [sandbox.addresses.websocket] }
  const client = await connectClient({ address: intent.to.address, description, credentials: null })
  cleanups.push(() => client.close())
  sandbox.faults.loss(1)
  const since = Date.now()
  const id = await client.send(intent.to.address, intent.frame)
  const found: string[] = []
  for await (const { remoteId } of gateway.adapter.history!.walk({ since, pairs: [] }, neverAborted))
    found.push(remoteId)
  expect(found).toEqual([id])
  sandbox.faults.loss(0)
  sandbox.faults.latency(300)
  sandbox.faults.duplication(1)
  const started = Date.now()
  const slow = testIntent({ to: intent.to })
  await client.send(intent.to.address, slow.frame)
  await waitFor(() => gateway.context.heard(slow.frame).length > 0)
  expect(Date.now() - started).toBeGreaterThanOrEqual(290)
  expect(new Set(gateway.context.heard(slow.frame).map(({ remoteId }) => remoteId)).size).toBe(1)
})
