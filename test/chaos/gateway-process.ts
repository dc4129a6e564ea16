/** The gateway as an operator runs it: a process of its own, from the command line, on a folder that outlives it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_LIMIT_MS = 120_000
/** Of what the process wrote last, kept for error messages. */
const OUTPUT_CHARACTERS = 4_000

export interface GatewayProcess {
  readonly url: string
  readonly port: number
  readonly dataDirectory: string
  /** Starts the process. Resolves as soon as it runs; `ready` tells when it answers. */
  spawn(): void
  /** Resolves when it answers; rejects with its last words when it ends instead. */
  ready(): Promise<void>
  /** SIGKILL, at once. Resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM. Resolves with the exit code. */
  stop(): Promise<number | null>
  running(): boolean
  /** Of the running process. */
  pid(): number
}

export interface GatewayProcessOptions {
  /** Folder for configuration, data and caches; removed by the caller. */
  directory: string
  /** The configuration file, but for port and folder. */
  values: Record<string, unknown>
  port: number
  /** Shell commands before the gateway takes the place of the shell, e.g. `ulimit -f 100`. */
  before?: string
}

export async function createGatewayProcess(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { directory, port } = options
  const dataDirectory = join(directory, 'data')
  const file = join(directory, 'causeway.yaml')
  const url = `http://127.0.0.1:${port}`
  // JSON is YAML.
  await writeFile(
    file,
    JSON.stringify({
      ...options.values,
      server: { ...(options.values.server as object | undefined), port },
      data: { directory: dataDirectory },
    }),
  )
  let child: ChildProcess | null = null
  let output = ''

  const isRunning = () => child !== null && child.exitCode === null && child.signalCode === null
  const words = ['src/cli/main.ts', 'start', '--config', file]

  async function end(signal: NodeJS.Signals): Promise<number | null> {
    if (!child) return null
    if (isRunning()) {
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    }
    return child.exitCode
  }

  return {
    url,
    port,
    dataDirectory,
    spawn() {
      if (isRunning()) throw new Error('the gateway runs already')
      output = ''
      const [command, parameters] =
        options.before === undefined
          ? [process.execPath, words]
          : ['/bin/sh', ['-c', `${options.before}; exec "$0" "$@"`, process.execPath, ...words]]
      child = spawn(command, parameters, {
        cwd: ROOT,
        // Compiled code is kept between restarts, as a container image would.
        env: {
          PATH: process.env.PATH,
          HOME: directory,
          NODE_COMPILE_CACHE: join(directory, 'compile-cache'),
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on('data', (chunk: Buffer) => {
          output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS)
        })
      }
    },
    async ready() {
      const deadline = performance.now() + START_LIMIT_MS
      while (isRunning() && performance.now() < deadline) {
        if (await answers(url)) return
        await sleep(20)
      }
      throw new Error(`the gateway does not answer:\n${output}`)
    },
    async kill() {
      await end('SIGKILL')
    },
    stop: () => end('SIGTERM'),
    running: isRunning,
    pid() {
      if (child?.pid === undefined || !isRunning()) throw new Error('the gateway does not run')
      return child.pid
    },
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    // Not yet: the caller asks again until its own limit.
    return false
  }
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
