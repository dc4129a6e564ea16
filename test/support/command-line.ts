/** The `causeway` command line as a child process, as people run it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { waitFor } from '../../src/adapter/testing/index.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface Finished {
  exit: number | null
  output: string
  errors: string
  /** Lines of standard output, each parsed as JSON. */
  lines(): Record<string, unknown>[]
}

export interface RunningCommand {
  output(): string
  errors(): string
  /** Waits until standard output holds the text. */
  shows(text: string): Promise<void>
  /** Interrupts it like Ctrl-C, and resolves when it has ended. */
  interrupt(): Promise<Finished>
  finished: Promise<Finished>
}

export interface CommandPlace {
  cwd: string
  environment?: Record<string, string>
}

/** Starts a command. The environment holds nothing but PATH and what is given. */
export function startCommand(words: string[], place: CommandPlace): RunningCommand {
  const child: ChildProcess = spawn(process.execPath, [main, ...words], {
    cwd: place.cwd,
    env: { PATH: process.env.PATH, HOME: place.cwd, ...place.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const finished = new Promise<Finished>((resolve) =>
    child.once('close', (exit) =>
      resolve({
        exit,
        output,
        errors,
        lines: () =>
          output
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Record<string, unknown>),
      }),
    ),
  )
  return {
    output: () => output,
    errors: () => errors,
    async shows(text) {
      await waitFor(() => output.includes(text) || child.exitCode !== null, { timeoutMs: 60_000, what: text })
      if (!output.includes(text)) throw new Error(`ended with ${child.exitCode} before "${text}": ${errors}`)
    },
    interrupt() {
      child.kill('SIGINT')
      return finished
    },
    finished,
  }
}

export function runCommandLine(words: string[], place: CommandPlace): Promise<Finished> {
  return startCommand(words, place).finished
}
