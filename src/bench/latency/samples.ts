/**
 * Raw samples as they are kept: one JSON object a line, appended as soon as a probe has ended. A run can be cut at any moment:
 * a last line without its end is left out, and written again when the run is resumed.
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'
import type { Machine } from '../machine.ts'

/**
 * `arrived`; `lost`: not within the time-out; `failed`: the SDK refused to send, and it did not arrive; `cut`: the run was
 * interrupted before it was known. A cut one is sent again when the run is resumed.
 */
export type Outcome = 'arrived' | 'lost' | 'failed' | 'cut'

/** Times are milliseconds after {@link SampleLine.dueMs}, all of one monotonic clock. Null: it did not happen, or was not seen. */
export interface SampleLine {
  kind: 'sample'
  session: number
  cell: string
  number: number
  warmup: boolean
  /** When it should leave, milliseconds after the start of the session. */
  dueMs: number
  /** The call of the SDK, later than due when the tool was late. */
  called: number
  /** The SDK's call was answered. */
  answered: number | null
  /** The gateway's adapter of the first network handed the frame over. */
  heard: number | null
  /** The gateway called the other adapter's `send`. */
  sending: number | null
  /** The recipient's SDK gave it out. */
  arrived: number | null
  outcome: Outcome
  /** Of the frame. */
  bytes: number
  error?: string
}

/** One more copy of a probe that had arrived, or the first one of a probe that was lost by then. */
export interface CopyLine {
  kind: 'copy'
  session: number
  cell: string
  number: number
  warmup: boolean
  /** Milliseconds after it was due. */
  arrived: number
}

/** Stands before the samples of each start and resumption. */
export interface SessionLine {
  kind: 'session'
  session: number
  startedAt: string
  machine: Machine
}

export interface EndLine {
  kind: 'end'
  session: number
  endedAt: string
  interrupted: boolean
  /** Load averages at the end. */
  load: number[]
}

export type Line = SampleLine | CopyLine | SessionLine | EndLine

export interface SampleFile {
  write(line: Line): Promise<void>
  close(): Promise<void>
}

/** Opens for appending. What follows the last whole line, left by a crash, is cut off. */
export async function openSamples(path: string): Promise<SampleFile> {
  const file: FileHandle = await open(path, 'a+')
  const text = await file.readFile('utf8')
  const whole = text.lastIndexOf('\n') + 1
  if (whole < text.length) await file.truncate(Buffer.byteLength(text.slice(0, whole)))
  let last: Promise<unknown> = Promise.resolve()
  return {
    write(line) {
      const written = last.then(async () => {
        await file.write(`${JSON.stringify(line)}\n`)
      })
      last = written
      return written
    },
    async close() {
      await last
      await file.close()
    },
  }
}

export async function readSamples(path: string): Promise<Line[]> {
  return parseLines(await readFile(path, 'utf8'))
}

/** Throws `SyntaxError` with the number of a line that is no JSON; the last one may be unfinished. */
export function parseLines(text: string): Line[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n')
  return lines.flatMap((line, place) => {
    if (line === '') return []
    try {
      return [JSON.parse(line) as Line]
    } catch (cause) {
      throw new SyntaxError(`line ${place + 1} of the samples is no JSON`, { cause })
    }
  })
}

/** Which counted samples need not be sent again. */
export function doneIn(lines: readonly Line[]): (cell: string, number: number) => boolean {
  const done = new Set(
    lines.flatMap((line) =>
      line.kind === 'sample' && !line.warmup && line.outcome !== 'cut' ? [`${line.cell} ${line.number}`] : [],
    ),
  )
  return (cell, number) => done.has(`${cell} ${number}`)
}

/** The last line of a sample decides: a resumed run sends those again that were cut. */
export function countedSamples(lines: readonly Line[]): SampleLine[] {
  const last = new Map<string, SampleLine>()
  for (const line of lines) {
    if (line.kind === 'sample' && !line.warmup && line.outcome !== 'cut')
      last.set(`${line.cell} ${line.number}`, line)
  }
  return [...last.values()]
}
