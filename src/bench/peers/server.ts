/** Servers of other systems: started on loopback with a folder of their own, ended by their process id. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Later, Peer } from './peer.ts'

const START_LIMIT_MS = 90_000
/** Of what a server wrote last, kept for error messages. */
const OUTPUT_CHARACTERS = 4_000

export interface Server {
  /** CPU time of the process and its descendants so far, microseconds. */
  cpu(): number
}

/** Why a system cannot be compared here, in words; null when it can. */
export function absence({ title, needs }: Peer): string | null {
  if (needs === null) return null
  if (findProgram(needs.programs) === null)
    return `${title}: skipped, ${needs.debian} is not installed (Debian: apt-get install ${needs.debian})`
  const missing = needs.modules.find((name) => !hasModule(name))
  return missing === undefined ? null : `${title}: skipped, the module ${missing} is not installed`
}

function hasModule(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return false
    throw error
  }
}

/** The first of the programs that is there, as a path; null when none is. */
function findProgram(programs: readonly string[]): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/usr/local/sbin')
  const candidates = programs.flatMap((program) =>
    program.includes('/') ? [program] : folders.map((folder) => join(folder, program)),
  )
  return candidates.find(isExecutable) ?? null
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    // Absent, or not to be executed: no candidate either way.
    return false
  }
}

/**
 * Starts the first of `programs` that is there. Resolves when it accepts connections on `port`; rejects with its last words
 * when it ends first.
 */
export async function startServer(options: {
  programs: readonly string[]
  parameters: readonly string[]
  environment?: Record<string, string>
  folder: string
  port: number
  later: Later
}): Promise<Server> {
  const { programs, parameters, environment, folder, port, later } = options
  const command = findProgram(programs)
  if (command === null) throw new Error(`${programs.at(-1)} is not installed`)
  // A group of its own: an interruption from the keyboard reaches the benchmark alone, which then ends its servers.
  const child = spawn(command, [...parameters], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, LANG: 'C.UTF-8', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS)
    })
  }
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    if (hasEnded()) return
    const exited = once(child, 'exit')
    // At once: its data is thrown away.
    child.kill('SIGKILL')
    await exited
  }
  later(stop)
  const deadline = performance.now() + START_LIMIT_MS
  while (!(await accepts(port))) {
    if (hasEnded() || performance.now() > deadline)
      throw new Error(`${command} does not answer on port ${port}:\n${output}`)
    await sleep(50)
  }
  return { cpu: () => cpuOfTree(pid) }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Ports that were free a moment ago, each another. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** A folder for one server, removed in the end. */
export async function temporaryFolder(later: Later): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-peer-'))
  // Descendants of a server that was killed may write for a moment longer.
  later(() => rm(folder, { recursive: true, force: true, maxRetries: 20 }))
  return folder
}

let microsecondsPerTick: number | null = null

/** CPU time of a process and its descendants, microseconds, from `/proc`: NaN where there is none. */
export function cpuOfTree(root: number): number {
  try {
    microsecondsPerTick ??= 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readStat(Number(name)))
    const tree = new Set([root])
    for (let before = 0; before < tree.size; ) {
      before = tree.size
      for (const { pid, parent } of processes) if (tree.has(parent)) tree.add(pid)
    }
    const ticks = processes.reduce((sum, { pid, ticks }) => (tree.has(pid) ? sum + ticks : sum), 0)
    return ticks * microsecondsPerTick
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Number.NaN
    throw error
  }
}

/** Empty when the process has ended meanwhile. See proc(5). */
function readStat(pid: number): { pid: number; parent: number; ticks: number }[] {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
  // The second field is the name in parentheses, which may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number)
  return [{ pid, parent: parent!, ticks: user! + system! }]
}
