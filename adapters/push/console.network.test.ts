/** The SDK prints messages, profiles and errors. None of it may come out of a gateway's process. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

/** Sends, well and with an answer of failure, hears, and walks over a badly signed message. */
const script = `
  import { encodeText } from './carriage.ts'
  import { startSandbox } from './sandbox/index.ts'
  import { neverAborted, startAdapter, startUser, testFrame, testIntent } from './testing.ts'

  const sandbox = await startSandbox()
  const gateway = await startAdapter(sandbox.gatewayConfig)
  await gateway.connected()
  const alice = await startUser(sandbox)
  await gateway.adapter.send(testIntent(alice), neverAborted)
  await alice.sendText(gateway.did, encodeText(testFrame()))
  sandbox.faults.plantBadlySigned(alice.did, gateway.did)
  sandbox.faults.failWith(503, 1, { method: 'POST' })
  const failed = await gateway.adapter.send(testIntent(alice), neverAborted).then(() => 0, () => 1)
  let frames = 0
  for await (const _inbound of gateway.adapter.history.walk({ since: 0, pairs: [] }, neverAborted)) frames++
  const findings = await gateway.adapter.doctor.examine(neverAborted)
  const leftOut = findings.filter(({ check }) => check === 'messages').length
  await gateway.stop()
  await alice.close()
  await sandbox.stop()
  console.log('frames', frames, 'left out', leftOut, 'failed', failed)
`

it('nothing that the SDK prints reaches the console of the gateway', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-push-console-'))
  try {
    const file = join(directory, 'quiet.mjs')
    await writeFile(
      file,
      script.replace(/'(\.\/[^']+)'/g, (_quoted, path) => `'${new URL(path, import.meta.url)}'`),
    )
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--no-warnings', file], {
      timeout: 120_000,
    })
    expect({ stdout, stderr }).toEqual({ stdout: 'frames 1 left out 1 failed 1\n', stderr: '' })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}, 150_000)
