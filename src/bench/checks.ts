/** What a check found that is no benchmark (chaos, loops, fuzz, load), in the form in which it stands beside them in the figures. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeMachine, type Machine } from './machine.ts'

export interface CheckReport {
  /** Name of its file, and of its section. */
  check: string
  command: string
  startedAt: string
  seconds: number
  machine: Machine
  /** Whether every promise held. */
  held: boolean
  /** Rows of a table: what was counted or measured, and how much. */
  figures: [what: string, howMuch: string][]
  notes: string[]
}

export interface CheckRun {
  /** Writes `<folder>/<check>.json`; nothing without a folder. Resolves with the file. */
  finish(result: Pick<CheckReport, 'held' | 'figures' | 'notes'>, folder?: string): Promise<string | null>
}

/** Begins a run: machine, load and time are those of its start. */
export function beginCheck(check: string, command: string): CheckRun {
  const machine = describeMachine()
  const startedAt = new Date()
  return {
    async finish(result, folder) {
      if (folder === undefined) return null
      const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000)
      const report: CheckReport = {
        check,
        command,
        startedAt: startedAt.toISOString(),
        seconds,
        machine,
        ...result,
      }
      const file = join(folder, `${check}.json`)
      await mkdir(folder, { recursive: true })
      await writeFile(file, `${JSON.stringify(report, null, 1)}\n`)
      return file
    },
  }
}

/** The command as others would give it: where the report goes, and in which form, changes nothing of what is measured. */
export function commandOf(script: string, words: readonly string[]): string {
  const told = words.filter(
    (word, place) => word !== '--json' && !word.startsWith('--out') && words[place - 1] !== '--out',
  )
  return ['npm run', script, ...(told.length > 0 ? ['--', ...told] : [])].join(' ')
}

/** A number with its thousands apart. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}
