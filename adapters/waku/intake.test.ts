import { describe, expect, it } from 'vitest'
import { type Inbound, systemClock } from '../../src/adapter/index.ts'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import { Intake, type IntakeOptions } from './intake.ts'
import { quietLog, testMessage } from './testing/node.ts'
import type { NetworkMessage } from './wire/message.ts'

function makeIntake(options: Partial<IntakeOptions>): Intake {
  return new Intake({
    capacity: 100,
    concurrency: 4,
    clock: systemClock,
    log: quietLog,
    deliver: async () => {},
    async *history() {},
    ...options,
  })
}

describe('intake', () => {
  it('delivers again until the message is durable', async () => {
    let failures = 3
    const delivered: string[] = []
    const intake = makeIntake({
      async deliver({ remoteId }: Inbound) {
        if (failures-- > 0) throw new Error('disk full')
        delivered.push(remoteId)
      },
    })
    const message = testMessage()
    intake.offer(message)
    await waitFor(() => delivered.length > 0)
    expect(delivered).toEqual([message.id])
    await intake.stop()
  })

  it('works on a few at a time, and reads from the archive what did not fit', async () => {
    const archive = Array.from({ length: 40 }, () => testMessage())
    const delivered = new Map<string, string>()
    let active = 0
    let most = 0
    let release: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const intake = makeIntake({
      capacity: 5,
      concurrency: 3,
      async deliver({ remoteId, via }) {
        active += 1
        most = Math.max(most, active)
        await gate
        active -= 1
        delivered.set(remoteId, via)
      },
      async *history() {
        yield* archive
      },
    })
    for (const message of archive) intake.offer(message)
    expect(intake.waiting).toBe(5)
    release()
    await waitFor(() => delivered.size === archive.length)
    expect(most).toBe(3)
    expect([...delivered.values()]).toContain('history')
    await intake.stop()
  })

  it('reads the archive again when reading it failed', async () => {
    const message = testMessage()
    const delivered: string[] = []
    const ranges: number[] = []
    const intake = makeIntake({
      async deliver({ remoteId }) {
        delivered.push(remoteId)
      },
      async *history({ since }): AsyncGenerator<NetworkMessage> {
        ranges.push(since)
        if (ranges.length < 3) throw new Error('no peer')
        yield message
      },
    })
    intake.gap(1_000_000)
    await waitFor(() => delivered.length > 0)
    expect(delivered).toEqual([message.id])
    expect(new Set(ranges)).toEqual(new Set([970_000]))
    await intake.stop()
  })

  it('delivers nothing after stop, and stop ends retries', async () => {
    let calls = 0
    const intake = makeIntake({
      async deliver() {
        calls += 1
        throw new Error('never')
      },
    })
    intake.offer(testMessage())
    await waitFor(() => calls > 1)
    await intake.stop()
    const before = calls
    intake.offer(testMessage())
    intake.gap(0)
    await systemClock.sleep(150)
    expect(calls).toBe(before)
  })
})
