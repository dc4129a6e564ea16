/** Where a run is, for people at a terminal, for logs, and for programs. */

import type { Progress } from './measure.ts'
import { titleOfCell } from './paths.ts'
import type { Cell } from './plan.ts'

export interface Reporter {
  /** A step before or after the measurement. */
  say(text: string): void
  progress(state: Progress): void
  /** Ends the line that was written over. */
  end(): void
}

export interface ReporterInput {
  json: boolean
  cells: () => readonly Cell[]
  /** Standard output for JSON lines, standard error for people. */
  out: { write(text: string): unknown }
  error: { write(text: string): unknown; isTTY?: boolean; columns?: number }
  now(): number
}

const TERMINAL_MS = 250
const LOG_MS = 10_000
const BAR = 24

export function createReporter({ json, cells, out, error, now }: ReporterInput): Reporter {
  const isTerminal = error.isTTY === true && !json
  const pauseMs = isTerminal ? TERMINAL_MS : LOG_MS
  let last = Number.NEGATIVE_INFINITY
  let isOpen = false
  /** That every probe has ended. */
  let isTold = false
  const titles = new Map<string, string>()

  function describe(state: Progress): string {
    if (titles.size === 0) for (const cell of cells()) titles.set(cell.id, titleOfCell(cell))
    const share = state.of === 0 ? 1 : state.ended / state.of
    const filled = Math.round(share * BAR)
    const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}`
    const gone = state.lost + state.failed
    const parts = [
      `${bar} ${(share * 100).toFixed(0).padStart(3)} %`,
      `${state.ended}/${state.of}`,
      `lost ${gone}`,
      `twice ${state.copies}`,
      `under way ${state.underWay}`,
      `${Math.ceil(state.secondsLeft)} s left`,
      titles.get(state.cell ?? '') ?? '',
    ]
    return parts.filter((part) => part !== '').join('  ')
  }

  return {
    say(text) {
      if (json) out.write(`${JSON.stringify({ event: 'step', text })}\n`)
      else error.write(`${text}\n`)
    },
    progress(state) {
      const isLast = state.ended === state.of
      if (isLast ? isTold : now() - last < pauseMs) return
      isTold = isLast
      last = now()
      if (json) out.write(`${JSON.stringify({ event: 'progress', ...state })}\n`)
      else if (isTerminal) {
        error.write(`\r\u001b[2K${describe(state).slice(0, (error.columns ?? 120) - 1)}`)
        isOpen = true
      } else error.write(`${describe(state)}\n`)
    },
    end() {
      if (isOpen) error.write('\n')
      isOpen = false
    },
  }
}
