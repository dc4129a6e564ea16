/** Structured logs: pino, an error serialiser that allow-lists, and a scrubbing stream as the last gate. */
import pino from 'pino'
import type { AdapterLog } from '../adapter/index.ts'
import { scrub } from './scrub.ts'

export interface Log extends AdapterLog {
  /** A log whose lines carry `bindings` too. */
  child(bindings: Record<string, unknown>): Log
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

export interface LogOptions {
  /** Least severe line that is written. Default `info`. */
  level?: LogLevel
  /** Where finished lines go, newline included. Default: standard output. */
  destination?: { write(line: string): unknown }
  /** Lines for people instead of JSON. Colour only if `colour` is set. */
  pretty?: boolean
  colour?: boolean
}

const LONGEST_MESSAGE = 500
const DEEPEST_CAUSE = 4

/**
 * Makes the log of a process. Lines are JSON with `time` (Unix ms), `level`, `msg` and the details given.
 *
 * @example createLog({ level: 'info' }).info({ network: 'waku' }, 'connected')
 */
export function createLog(options: LogOptions = {}): Log {
  const target = options.destination ?? process.stdout
  const finish = options.pretty
    ? (line: string) => prettyLine(line, options.colour ?? false)
    : (line: string) => line
  const stream = { write: (line: string) => void target.write(finish(scrub(line))) }
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError, cause: describeError },
    },
    stream,
  )
}

export interface DescribedError {
  name: string
  message: string
  code?: string | number
  class?: string
  remoteCode?: string | number
  status?: number
  stack?: string[]
  cause?: DescribedError
}

/**
 * What may be logged of an error: these fields and no others. Libraries put whole requests into extra properties (ethers:
 * `info`, `transaction`, `payload`) and into the message (ethers has the bare text in `shortMessage`).
 */
export function describeError(value: unknown, depth = 0): DescribedError {
  if (typeof value !== 'object' || value === null) return { name: 'Error', message: cut(String(value)) }
  const error = value as Record<string, unknown>
  const described: DescribedError = {
    name: typeof error.name === 'string' ? error.name : 'Error',
    message: cut(String(error.shortMessage ?? error.message ?? '')),
  }
  for (const key of ['code', 'remoteCode'] as const) {
    const field = error[key]
    if (typeof field === 'string' || typeof field === 'number') described[key] = field
  }
  if (typeof error.class === 'string') described.class = error.class
  if (typeof error.status === 'number') described.status = error.status
  if (typeof error.stack === 'string') described.stack = stackFrames(error.stack)
  if (error.cause !== undefined && error.cause !== null && depth < DEEPEST_CAUSE) {
    described.cause = describeError(error.cause, depth + 1)
  }
  return described
}

function cut(text: string): string {
  return text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}…` : text
}

/** The frames alone: the head of a stack repeats the message. */
function stackFrames(stack: string): string[] {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => line.trim().replace(/^at /, ''))
}

const COLOURS: Record<string, number> = { trace: 90, debug: 90, info: 32, warn: 33, error: 31, fatal: 31 }

/** `12:00:00.000 info  connected network=waku`, from a finished JSON line. A line that is not JSON is passed through. */
function prettyLine(line: string, colour: boolean): string {
  let fields: Record<string, unknown>
  try {
    fields = JSON.parse(line) as Record<string, unknown>
  } catch {
    return line
  }
  const { time, level, msg, ...details } = fields
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const name = String(level).padEnd(5)
  const label = colour ? `\u001b[${COLOURS[String(level)] ?? 0}m${name}\u001b[0m` : name
  const rest = Object.entries(details).map(([key, value]) => {
    return `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`
  })
  return `${[clock, label, msg, ...rest].filter((part) => part !== undefined && part !== '').join(' ')}\n`
}
