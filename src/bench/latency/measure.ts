/** Sends the probes of a schedule when they are due, whatever became of the ones before, and writes down what became of them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Crossing, monotonicNow } from '../observed-networks.ts'
import type { Probe } from './plan.ts'
import { keyOf, makePayload } from './probes.ts'
import type { CopyLine, SampleFile, SampleLine } from './samples.ts'
import type { Scene } from './scene.ts'

/** Timers are late by a millisecond or more: the rest of the wait is spent asking the clock. */
const SPIN_MS = 2
const POLL_MS = 200
/** How long the gateway's notes of a probe that has arrived, or a copy of a probe that failed to leave, may be behind it. */
const NOTES_MS = 2_000
/** Copies of the last probes are waited for this long. */
const SETTLE_MS = 1_500

export interface MeasureInput {
  scene: Scene
  schedule: readonly Probe[]
  samples: SampleFile
  session: number
  timeoutMs: number
  /** Ends the sending at once; what is under way is written down as cut. */
  signal: AbortSignal
  progress(state: Progress): void
}

export interface Progress {
  /** Probes that have ended. */
  ended: number
  of: number
  underWay: number
  arrived: number
  lost: number
  failed: number
  copies: number
  secondsLeft: number
  /** Of the probe that ended last. */
  cell: string | null
}

interface Open {
  dueAt: number
  to: string
  line: SampleLine
  failedAt: number | null
}

/** Resolves when every probe has ended and been written. Rejects only for what ends the whole run. */
export async function measure(input: MeasureInput): Promise<Progress> {
  const { scene, schedule, samples, session, timeoutMs, signal } = input
  const open = new Map<string, Open>()
  /** Of probes that have ended, for copies that come later. */
  const ended = new Map<string, Open>()
  const progress: Progress = {
    ended: 0,
    of: schedule.length,
    underWay: 0,
    arrived: 0,
    lost: 0,
    failed: 0,
    copies: 0,
    secondsLeft: (schedule.at(-1)?.dueMs ?? 0) / 1000,
    cell: null,
  }
  let writing: Promise<unknown> = Promise.resolve()
  const write = (line: SampleLine | CopyLine) => {
    writing = Promise.all([writing, samples.write(line)])
    // Whoever awaits it learns of a failure; until then it is no unhandled one.
    writing.catch(() => undefined)
  }

  scene.onFrame((network, frame) => {
    const at = monotonicNow()
    const key = keyOf(frame)
    if (key === null) return
    const known = open.get(key) ?? ended.get(key)
    if (known?.to !== network) return
    if (known.line.arrived === null && open.has(key)) known.line.arrived = at - known.dueAt
    else copy(known, at)
  })

  function copy({ dueAt, line }: Open, at: number): void {
    // Of one that was lost by then it is the first.
    if (line.outcome === 'arrived' || line.arrived !== null) progress.copies++
    const { cell, number, warmup } = line
    write({ kind: 'copy', session, cell, number, warmup, arrived: rounded(at - dueAt) })
  }

  function note({ what, id, network, at }: Crossing): void {
    const known = open.get(id) ?? ended.get(id)
    if (!known) return
    const after = at - known.dueAt
    if (what === 'heard') known.line.heard ??= after
    else if (what === 'sending' && network === known.to) known.line.sending ??= after
  }

  function end(key: string, known: Open, outcome: SampleLine['outcome']): void {
    const { line } = known
    open.delete(key)
    ended.set(key, known)
    line.outcome = outcome
    if (outcome !== 'cut') progress[outcome]++
    progress.ended++
    progress.cell = line.cell
    for (const time of ['called', 'answered', 'heard', 'sending', 'arrived'] as const) {
      if (line[time] !== null) line[time] = rounded(line[time])
    }
    write(line)
  }

  /** Ends what needs no more waiting. */
  function sweep(): void {
    const now = monotonicNow()
    for (const [key, known] of open) {
      const { line, dueAt, failedAt } = known
      const complete = line.heard !== null && line.sending !== null
      if (line.arrived !== null) {
        if (isNative(line) || complete || now - dueAt - line.arrived > NOTES_MS) end(key, known, 'arrived')
      } else if (failedAt !== null && now - failedAt > NOTES_MS) end(key, known, 'failed')
      else if (now - dueAt > timeoutMs) end(key, known, 'lost')
    }
    progress.underWay = open.size
  }

  let over = false
  async function poll(): Promise<void> {
    while (!over) {
      for (const crossing of await scene.crossings()) note(crossing)
      sweep()
      input.progress(progress)
      await writing
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  const startAt = monotonicNow() + 100
  const lastDue = schedule.at(-1)?.dueMs ?? 0
  async function sendAll(): Promise<void> {
    for (const probe of schedule) {
      const origin = scene.origin(probe.cell)
      const { frame, key } = makePayload(probe.cell, origin.sender, origin.recipient)
      const dueAt = startAt + probe.dueMs
      await untilDue(dueAt, signal)
      if (signal.aborted || over) return
      progress.secondsLeft = (lastDue - probe.dueMs) / 1000
      const known: Open = {
        dueAt,
        to: probe.cell.to,
        line: lineOf(probe, session, frame.length),
        failedAt: null,
      }
      open.set(key, known)
      known.line.called = monotonicNow() - dueAt
      origin.client.send(origin.address, frame).then(
        () => {
          known.line.answered = monotonicNow() - dueAt
        },
        (error: unknown) => {
          known.failedAt = monotonicNow()
          known.line.error = reasonOf(error)
        },
      )
    }
    while (open.size > 0 && !signal.aborted && !over) await pause(POLL_MS, signal)
    await pause(SETTLE_MS, signal)
  }

  const polling = poll().finally(() => {
    over = true
  })
  const sending = sendAll().finally(() => {
    over = true
  })
  try {
    await Promise.all([sending, polling])
  } finally {
    over = true
    for (const [key, known] of open) end(key, known, known.line.arrived === null ? 'cut' : 'arrived')
    await writing
  }
  input.progress(progress)
  return progress
}

function isNative({ cell }: SampleLine): boolean {
  return cell.startsWith('native:')
}

function lineOf({ cell, number, warmup, dueMs }: Probe, session: number, bytes: number): SampleLine {
  return {
    kind: 'sample',
    session,
    cell: cell.id,
    number,
    warmup,
    dueMs: rounded(dueMs),
    called: 0,
    answered: null,
    heard: null,
    sending: null,
    arrived: null,
    outcome: 'lost',
    bytes,
  }
}

async function untilDue(at: number, signal: AbortSignal): Promise<void> {
  const rest = at - monotonicNow() - SPIN_MS
  if (rest > 0) await pause(rest, signal)
  while (monotonicNow() < at && !signal.aborted) await nextTurn()
}

/** Resolves after the time, or when the signal aborts. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done)
  })
}

/** Microseconds are as exact as the clock. */
function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}

/** The SDK's words without what could name a wallet. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.replaceAll(/0x[0-9a-fA-F]{8,}|[0-9a-fA-F]{32,}/g, '…').slice(0, 200)
}
