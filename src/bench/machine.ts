/** Where and under which load a measurement was made. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

export interface Machine {
  node: string
  system: string
  processor: string
  cores: number
  memoryGiB: number
  /** Load averages of 1, 5 and 15 minutes when the benchmark started. */
  load: number[]
}

export function describeMachine(): Machine {
  return {
    node: process.version,
    system: `${type()} ${release()}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg().map((value) => Math.round(value * 10) / 10),
  }
}

/**
 * Bytes that this process has handed to write calls so far, in all its threads; null where the system does not tell. Unlike what
 * reaches the disk, it does not depend on when the kernel writes its pages back.
 */
export function bytesHandedToWrites(): number | null {
  try {
    const line = /^wchar: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))
    return line ? Number(line[1]) : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** CPU time of this process in all its threads, microseconds. */
export function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
