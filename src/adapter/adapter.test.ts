import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { AdapterError, type AdapterErrorClass, defineAdapter, type Manifest, systemClock } from './index.ts'
import { loadAdapter, loadSandbox, networkNames, sandboxNames } from './registry.ts'

const manifest: Manifest = {
  network: 'example',
  title: 'Example',
  specVersion: 1,
  limits: { maxFrameBytes: 1000 },
  redeliveryWindowMs: 1000,
  ordering: 'none',
  federates: false,
  carriesTransactionId: false,
  environment: [],
}
const definition = (change: Partial<Manifest>) => ({
  manifest: { ...manifest, ...change },
  config: z.strictObject({}),
  create() {
    throw new Error('not made in this test')
  },
})

describe('defineAdapter', () => {
  it('returns a well-formed definition as it is', () => {
    const given = definition({})
    expect(defineAdapter(given)).toBe(given)
  })

  it.each(['', 'X', 'a', 'Waku', '1waku', 'wa ku', 'a'.repeat(33), '../waku'])(
    'refuses the name "%s"',
    (network) => {
      expect(() => defineAdapter(definition({ network }))).toThrow(/manifest.network/)
    },
  )

  it('refuses another version of the contract', () => {
    expect(() => defineAdapter(definition({ specVersion: 2 as 1 }))).toThrow(/specVersion/)
  })
})

describe('AdapterError', () => {
  it('carries class, remote code, pause and cause', () => {
    const cause = new Error('socket hang up')
    const error = new AdapterError('rateLimited', 'slow down', {
      retryAfterMs: 1500,
      remoteCode: 60011,
      cause,
    })
    expect(error).toMatchObject({
      name: 'AdapterError',
      class: 'rateLimited',
      retryAfterMs: 1500,
      remoteCode: 60011,
    })
    expect(error.cause).toBe(cause)
    expect('cause' in new AdapterError('permanent', 'no')).toBe(false)
  })

  it('is known across copies of the module, and nothing else is', () => {
    const errorClass: AdapterErrorClass = 'auth'
    expect(AdapterError.is(new AdapterError(errorClass, 'refused'))).toBe(true)
    const fromAnotherCopy = Object.assign(new Error('refused'), {
      [Symbol.for('causeway.AdapterError')]: true,
    })
    expect(AdapterError.is(fromAnotherCopy)).toBe(true)
    for (const other of [new Error('x'), null, undefined, 'AdapterError', { class: 'auth' }]) {
      expect(AdapterError.is(other)).toBe(false)
    }
  })
})

describe('the registry', () => {
  it('refuses unknown networks and names that objects have', async () => {
    for (const name of ['nothing', 'constructor', '__proto__', 'toString']) {
      await expect(loadAdapter(name)).rejects.toThrow(RangeError)
      await expect(loadSandbox(name)).rejects.toThrow(RangeError)
    }
    await expect(loadSandbox('simulator')).rejects.toThrow(/no sandbox for "simulator"/)
  })

  it('loads the simulator under its own name', async () => {
    expect(networkNames).toContain('simulator')
    expect((await loadAdapter('simulator')).manifest.network).toBe('simulator')
    for (const name of sandboxNames) expect(networkNames).toContain(name)
  })
})

describe('systemClock', () => {
  it('sleeps no less than asked, by its own monotonic time, within a millisecond', async () => {
    const before = systemClock.monotonic()
    await systemClock.sleep(20)
    expect(systemClock.monotonic() - before).toBeGreaterThanOrEqual(19)
  })

  it("rejects with the signal's reason, before and during the sleep", async () => {
    const reason = new Error('enough')
    await expect(systemClock.sleep(1_000_000, AbortSignal.abort(reason))).rejects.toBe(reason)
    const abort = new AbortController()
    const sleeping = systemClock.sleep(1_000_000, abort.signal)
    abort.abort(reason)
    await expect(sleeping).rejects.toBe(reason)
  })
})
