import type { Clock } from '../adapter/index.ts'

export interface AgendaEntry {
  /** Unix milliseconds. */
  readonly at: number
  cancelled: boolean
}

/** Runs tasks at their times, with one timer for all of them. */
export interface Agenda {
  /** Runs `task` once `at` has come; at once (but never within this call) if it has passed. `task` must not throw. */
  at(at: number, task: () => void): AgendaEntry
  cancel(entry: AgendaEntry): void
  /** Forgets every task and ends the timer. */
  stop(): void
  /** Tasks that wait, cancelled ones included until their time. */
  readonly size: number
}

/** A longer timer would overflow and fire at once; waking early is harmless. */
const LONGEST_SLEEP_MS = 0x7fffffff

interface Task extends AgendaEntry {
  run: () => void
}

export function createAgenda(clock: Clock): Agenda {
  /** Binary heap, earliest first. */
  let heap: Task[] = []
  let wake: AbortController | null = null
  let stopped = false

  function push(task: Task): void {
    let index = heap.length
    heap.push(task)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (heap[parent]!.at <= task.at) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = task
  }

  function pop(): Task {
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = index * 2 + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++
      if (heap[child]!.at >= last.at) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }

  /** One loop at a time; it ends when nothing waits. A new earliest task wakes it. */
  async function loop(): Promise<void> {
    while (heap.length > 0 && !stopped) {
      const waiting = new AbortController()
      wake = waiting
      try {
        await clock.sleep(Math.min(Math.max(0, heap[0]!.at - clock.now()), LONGEST_SLEEP_MS), waiting.signal)
      } catch (error) {
        if (!waiting.signal.aborted) throw error
      }
      while (heap.length > 0 && (heap[0]!.cancelled || heap[0]!.at <= clock.now())) {
        const task = pop()
        if (!task.cancelled) task.run()
      }
    }
    wake = null
  }

  return {
    at(at, run) {
      const task: Task = { at, run, cancelled: stopped }
      if (stopped) return task
      push(task)
      if (!wake) void loop()
      else if (heap[0] === task) wake.abort()
      return task
    },
    cancel(entry) {
      entry.cancelled = true
    },
    stop() {
      stopped = true
      heap = []
      wake?.abort()
    },
    get size() {
      return heap.length
    },
  }
}
