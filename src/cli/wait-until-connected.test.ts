import { expect, it } from 'vitest'
import type { Networks } from '../relay/types.ts'
import { waitUntilConnected } from './wait-until-connected.ts'

/** One network that never connects by itself. */
function networkThat(initial: 'connecting' | 'connected') {
  let state: string = initial
  const listeners = new Set<() => void>()
  const networks = {
    list: () => [{ state }],
    onState(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } as unknown as Networks
  const connect = () => {
    state = 'connected'
    for (const listener of listeners) listener()
  }
  return { networks, connect, listeners }
}

it('ends at once when the signal has aborted already', async () => {
  const { networks, listeners } = networkThat('connecting')
  expect(await waitUntilConnected(networks, { signal: AbortSignal.abort(), timeoutMs: 600_000 })).toBe(false)
  expect(listeners.size).toBe(0)
})

it('ends when all are connected, when the signal aborts, or after the time', async () => {
  expect(await waitUntilConnected(networkThat('connected').networks, { timeoutMs: 600_000 })).toBe(true)
  const slow = networkThat('connecting')
  const waiting = waitUntilConnected(slow.networks, { timeoutMs: 600_000 })
  slow.connect()
  expect(await waiting).toBe(true)
  const stopped = networkThat('connecting')
  const interruption = new AbortController()
  const stopping = waitUntilConnected(stopped.networks, { signal: interruption.signal, timeoutMs: 600_000 })
  interruption.abort()
  expect(await stopping).toBe(false)
  expect(await waitUntilConnected(networkThat('connecting').networks, { timeoutMs: 1 })).toBe(false)
  expect(slow.listeners.size + stopped.listeners.size).toBe(0)
})
