import { expect, it } from 'vitest'
import { createVirtualClock } from '../../src/adapter/testing/clock.ts'
import { BackendPool } from './backends.ts'
import type { Sdk } from './sdk.ts'

function open(size: number, create: () => Promise<object>) {
  const clock = createVirtualClock()
  const pool = new BackendPool({ environment: 'local', apiUrl: 'http://127.0.0.1:9', clock, size })
  const sdk = { createBackend: create } as unknown as Sdk
  return () => pool.acquire(sdk)
}

it('opens connections up to its size, then shares them evenly, each with a count of its own', async () => {
  let made = 0
  const acquire = open(3, async () => ({ number: ++made }))
  const taken = await Promise.all(Array.from({ length: 7 }, acquire))
  expect(made).toBe(3)
  const clients = Map.groupBy(taken, ({ shared }) => shared)
  expect([...clients.values()].map(({ length }) => length).sort()).toEqual([2, 2, 3])
  expect(new Set(taken.map(({ shared }) => shared.requests)).size).toBe(3)
})

it('gives a connection without clients again, and counts a release once', async () => {
  let made = 0
  const acquire = open(8, async () => ({ number: ++made }))
  const first = await acquire()
  first.release()
  first.release()
  const [again, other] = [await acquire(), await acquire()]
  expect(again.shared).toBe(first.shared)
  expect(other.shared).not.toBe(first.shared)
  expect(made).toBe(2)
})

it('forgets a connection that could not be made', async () => {
  let tries = 0
  const acquire = open(1, async () => {
    if (++tries === 1) throw new Error('no')
    return {}
  })
  await expect(acquire()).rejects.toThrow('no')
  expect((await acquire()).shared.backend).toEqual({})
})
