/** Sends messages through a system, some of them twice, and watches what comes out. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMicroseconds } from '../machine.ts'
import { quantile } from '../statistics.ts'
import type { Link } from './peer.ts'

/** One message in so many is sent again, while it may still be under way. */
const REPEAT_EVERY = 10
/** A repeat follows after so many other messages. */
const REPEAT_AFTER = 5
/** How long the last message may take before it counts as lost. */
const PATIENCE_MS = 60_000
/** So long nothing more may come before a measurement is over: repeats come late. */
const QUIET_MS = 300

export type Load =
  | { kind: 'paced'; perSecond: number; count: number }
  | { kind: 'saturated'; inFlight: number; count: number }

/** Figures of one load, by name. */
export type Figures = Record<string, number>

/** Sends messages `first` … under a load. Rejects when the system refuses one. */
export async function measure(
  link: Link,
  load: Load,
  first: number,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): Promise<Figures> {
  const { count } = load
  link.prepare(first, count)
  const sentAt = new Float64Array(count)
  const latencies: number[] = []
  const times = new Uint32Array(count)
  let twice = 0
  let lastAt = 0
  link.onDelivery = (number) => {
    lastAt = performance.now()
    const place = number - first
    // A repeat of an earlier load.
    if (place < 0) return
    if (times[place]!++ > 0) twice++
    else latencies.push(lastAt - sentAt[place]!)
  }
  let repeats = 0
  let lastAcknowledgedAt = 0
  const publish = async (place: number): Promise<void> => {
    sentAt[place] = performance.now()
    const sends = [link.publish(first + place)]
    if (place % REPEAT_EVERY === REPEAT_AFTER) {
      repeats++
      sends.push(link.publish(first + place - REPEAT_AFTER))
    }
    await Promise.all(sends)
    lastAcknowledgedAt = performance.now()
  }

  const serverBefore = await link.serverCpu()
  const clientBefore = cpuMicroseconds()
  const startedAt = performance.now()
  await (load.kind === 'paced' ? paced(load, publish) : saturated(load, publish))
  const seconds = (lastAcknowledgedAt - startedAt) / 1000
  const deadline = performance.now() + patienceMs
  while (latencies.length < count && performance.now() < deadline) await sleep(5)
  while (performance.now() - lastAt < QUIET_MS) await sleep(20)
  const client = cpuMicroseconds() - clientBefore
  const server = (await link.serverCpu()) - serverBefore
  return {
    'acknowledged/s': count / seconds,
    'p50 ms': quantile(latencies, 0.5),
    'p99 ms': quantile(latencies, 0.99),
    'repeats delivered %': (twice / repeats) * 100,
    lost: count - latencies.length,
    'server CPU µs': server / count,
    'client CPU µs': client / count,
  }
}

/** Each message at its own time, whether or not those before are acknowledged. */
async function paced(
  { perSecond, count }: { perSecond: number; count: number },
  publish: (place: number) => Promise<void>,
): Promise<void> {
  const startedAt = performance.now()
  const sends: Promise<void>[] = []
  let refusal: { error: unknown } | null = null
  while (sends.length < count && refusal === null) {
    const due = Math.min(count, Math.floor(((performance.now() - startedAt) * perSecond) / 1000) + 1)
    while (sends.length < due) {
      sends.push(
        publish(sends.length).catch((error: unknown) => {
          refusal ??= { error }
        }),
      )
    }
    await sleep(1)
  }
  await Promise.all(sends)
  if (refusal !== null) throw (refusal as { error: unknown }).error
}

/** A fixed number of callers, each waits for its acknowledgement before it sends again. */
async function saturated(
  { inFlight, count }: { inFlight: number; count: number },
  publish: (place: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const caller = async () => {
    while (next < count) await publish(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, caller))
}
