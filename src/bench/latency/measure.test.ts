import { describe, expect, test } from 'vitest'
import { decodeFrame, toHex } from '../../envelope/index.ts'
import { type Crossing, monotonicNow } from '../observed-networks.ts'
import { createPerson } from '../people.ts'
import { measure } from './measure.ts'
import { type Cell, scheduleOf } from './plan.ts'
import { keyOf } from './probes.ts'
import type { CopyLine, Line, SampleLine } from './samples.ts'
import type { Scene } from './scene.ts'

const native: Cell = { id: 'native:trtc:256', path: 'native', from: 'trtc', to: 'trtc', size: 256 }
const through: Cell = { id: 'gateway:waku>trtc:256', path: 'gateway', from: 'waku', to: 'trtc', size: 256 }

/** A network in memory: `carry` gets what a client sends, and the way to whoever receives on a network. */
type Carry = (frame: Uint8Array, deliver: (network: string, frame: Uint8Array) => void) => Promise<string>

function sceneOf(carry: Carry, crossings: () => Crossing[] = () => []): Scene {
  const listeners: ((network: string, frame: Uint8Array) => void)[] = []
  const sender = createPerson()
  const recipient = createPerson().wallet
  const client = {
    send: (_address: string, frame: Uint8Array) =>
      carry(frame, (network, arrived) => {
        for (const listener of listeners) listener(network, arrived)
      }),
    onFrame() {},
    close: async () => undefined,
  }
  return {
    networks: [],
    origin: () => ({ client, address: 'somewhere', sender, recipient }),
    onFrame: (listener) => void listeners.push(listener),
    crossings: async () => crossings(),
    close: async () => undefined,
  }
}

async function run(input: {
  scene: Scene
  cells: Cell[]
  samples: number
  timeoutMs?: number
  signal?: AbortSignal
}) {
  const lines: Line[] = []
  const progress = await measure({
    scene: input.scene,
    schedule: scheduleOf({ samples: input.samples, warmup: 0, rate: 200, seed: 1 }, input.cells),
    samples: { write: async (line) => void lines.push(line), close: async () => undefined },
    session: 1,
    timeoutMs: input.timeoutMs ?? 60_000,
    signal: input.signal ?? new AbortController().signal,
    progress() {},
  })
  const samples = lines.filter((line): line is SampleLine => line.kind === 'sample')
  const copies = lines.filter((line): line is CopyLine => line.kind === 'copy')
  return { progress, samples, copies }
}

describe('measuring', () => {
  test('an answer that never comes holds up no other probe: sending is open-loop', async () => {
    let sent = 0
    const silent = sceneOf(() => {
      sent++
      return new Promise<string>(() => undefined)
    })
    const { samples, progress } = await run({ scene: silent, cells: [native], samples: 30, timeoutMs: 300 })
    expect(sent).toBe(30)
    expect(progress).toMatchObject({ ended: 30, lost: 30, arrived: 0 })
    expect(
      samples.every(({ outcome, arrived, answered }) => outcome === 'lost' && !arrived && !answered),
    ).toBe(true)
  })

  test('a stall of the recipient is charged to everything that was due meanwhile', async () => {
    const waiting: (() => void)[] = []
    const stalled = sceneOf(async (frame, deliver) => {
      waiting.push(() => deliver('trtc', frame))
      if (waiting.length === 20) for (const pass of waiting) pass()
      return 'id'
    })
    const { samples } = await run({ scene: stalled, cells: [native], samples: 20 })
    const latencies = samples.toSorted((one, other) => one.dueMs - other.dueMs).map(({ arrived }) => arrived!)
    // The first waited longest, since it was due first, and each waited for the last one to be due.
    expect(latencies).toEqual(latencies.toSorted((one, other) => other - one))
    const span = samples.map(({ dueMs }) => dueMs)
    expect(latencies[0]!).toBeGreaterThanOrEqual(Math.max(...span) - Math.min(...span) - 1)
  })

  test('copies, strange frames and other networks are told apart', async () => {
    const loud = sceneOf(async (frame, deliver) => {
      deliver('waku', frame)
      deliver('trtc', new Uint8Array([1, 2, 3]))
      deliver('trtc', frame)
      deliver('trtc', frame)
      return 'id'
    })
    const { samples, copies, progress } = await run({ scene: loud, cells: [native], samples: 5 })
    expect(samples.map(({ outcome }) => outcome)).toEqual(Array(5).fill('arrived'))
    expect(copies).toHaveLength(5)
    expect(progress.copies).toBe(5)
    for (const { arrived, called } of samples) expect(arrived!).toBeGreaterThanOrEqual(called)
  })

  test('what the gateway noted of a probe stands in its sample', async () => {
    const notes: Crossing[] = []
    const relayed = sceneOf(
      async (frame, deliver) => {
        const id = toHex(decodeFrame(frame).id)
        expect(keyOf(frame)).toBe(id)
        const note = (what: Crossing['what'], network: string) =>
          notes.push({ what, network, id, at: monotonicNow() })
        note('heard', 'waku')
        note('sending', 'elsewhere')
        note('sending', 'trtc')
        deliver('trtc', frame)
        return 'id'
      },
      () => notes.splice(0),
    )
    const { samples } = await run({ scene: relayed, cells: [through], samples: 4 })
    expect(samples).toHaveLength(4)
    for (const { called, heard, sending, arrived } of samples) {
      expect(heard!).toBeGreaterThanOrEqual(called)
      expect(sending!).toBeGreaterThanOrEqual(heard!)
      expect(arrived!).toBeGreaterThanOrEqual(sending!)
    }
  })

  test('a refusal is kept with its words, without addresses', async () => {
    const refusing = sceneOf(() =>
      Promise.reject(new Error('0x52908400098527886E0F7030069857D2E4169EE7 is unknown')),
    )
    const { samples } = await run({ scene: refusing, cells: [native], samples: 2 })
    expect(samples.map(({ outcome, error }) => [outcome, error])).toEqual([
      ['failed', '… is unknown'],
      ['failed', '… is unknown'],
    ])
  })

  test('an interruption ends it at once, and what was under way is cut', async () => {
    const interruption = new AbortController()
    let sent = 0
    const silent = sceneOf(() => {
      if (++sent === 3) interruption.abort()
      return new Promise<string>(() => undefined)
    })
    const { samples } = await run({
      scene: silent,
      cells: [native],
      samples: 100,
      signal: interruption.signal,
    })
    expect(samples.map(({ outcome }) => outcome)).toEqual(['cut', 'cut', 'cut'])
  })

  test('when the gateway is gone the run fails, with its samples written', async () => {
    let calls = 0
    const scene = sceneOf(
      async () => 'id',
      () => {
        if (++calls > 2) throw new Error('the process gateway-process ended')
        return []
      },
    )
    const lines: Line[] = []
    const failing = measure({
      scene,
      schedule: scheduleOf({ samples: 500, warmup: 0, rate: 50, seed: 1 }, [native]),
      samples: { write: async (line) => void lines.push(line), close: async () => undefined },
      session: 1,
      timeoutMs: 60_000,
      signal: new AbortController().signal,
      progress() {},
    })
    await expect(failing).rejects.toThrow('gateway-process ended')
    expect(lines.length).toBeLessThan(500)
    expect(lines.every((line) => line.kind === 'sample' && line.outcome === 'cut')).toBe(true)
  })
})
