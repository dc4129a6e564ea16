/** A machine on which the SDK's native library does not load. */
import { afterEach, expect, it } from 'vitest'
import { createRecordingContext, type RecordingContext } from '../../src/adapter/testing/context.ts'
import { createXmtpAdapter } from './adapter.ts'
import { configSchema } from './config.ts'
import { loadSdk, type Sdk, silenceConsole } from './sdk.ts'

const never = new AbortController().signal
const config = configSchema.parse({
  environment: 'local',
  apiUrl: 'http://127.0.0.1:9',
  walletKey: `0x${'11'.repeat(32)}`,
})
let context: RecordingContext

/** As Node and napi-rs report it. */
const oldMachine = (): Promise<Sdk> =>
  Promise.reject(
    new Error('Cannot find native binding.', {
      cause: Object.assign(
        new Error(
          "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by bindings_node)",
        ),
        { code: 'ERR_DLOPEN_FAILED' },
      ),
    }),
  )

afterEach(() => context?.dispose())

it('is told as a stopped network with cause and fix; nothing else fails', async () => {
  context = createRecordingContext()
  const adapter = createXmtpAdapter(config, context, oldMachine)
  await adapter.start(never)
  expect(context.states.at(-1)).toMatchObject({
    state: 'stopped',
    reason: expect.stringContaining('needs glibc 2.38'),
    userAction: expect.stringContaining('glibc 2.25'),
  })
  const findings = await adapter.doctor!.examine(never)
  expect(findings).toEqual([
    {
      check: 'native-binding',
      status: 'error',
      message: expect.stringContaining('needs glibc 2.38'),
      fix: expect.stringContaining('glibc 2.25'),
    },
  ])
  await expect(adapter.history!.find({} as never, never)).rejects.toMatchObject({ class: 'auth' })
  await adapter.stop(never)
})

it('is tried again by the next start', async () => {
  await expect(loadSdk(oldMachine)).rejects.toMatchObject({ code: 'native-binding-missing' })
  const working = { Client: {} } as Sdk
  expect(await loadSdk(async () => working)).toBe(working)
})

it('keeps the console lines of the SDK out, and no others', () => {
  const lines: unknown[][] = []
  const original = console.warn
  console.warn = (...values: unknown[]) => void lines.push(values)
  try {
    silenceConsole()
    console.warn('No codec found for content type "a/b:1.0"')
    console.warn('Error decoding custom content: x')
    console.warn('a line of the application', 1)
    console.warn({ object: true })
    expect(lines).toEqual([['a line of the application', 1], [{ object: true }]])
  } finally {
    console.warn = original
  }
})
