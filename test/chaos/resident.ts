/** Memory of another process. */
import { execFileSync } from 'node:child_process'

/** Resident memory in bytes, by `ps`, which Linux and macOS have. Throws when there is no such process. */
export function residentBytes(pid: number): number {
  const kibibytes = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim())
  if (!Number.isFinite(kibibytes) || kibibytes === 0) throw new Error(`ps knows no process ${pid}`)
  return kibibytes * 1024
}
