/** `npm run check`: types, lint and format, generated files fresh. Exits 1 when one of them is not clean. */
import { spawnSync } from 'node:child_process'

const steps: [name: string, command: string, ...parameters: string[]][] = [
  ['types', 'tsc', '--noEmit', '-p', '.'],
  ['lint and format', 'biome', 'check', '--error-on-warnings', '.'],
  ['generated files', 'node', 'scripts/generate.ts', '--check'],
]

let failed = false
for (const [name, command, ...parameters] of steps) {
  const startedAt = performance.now()
  const result = spawnSync(command, parameters, { stdio: 'inherit' })
  const good = result.status === 0
  failed ||= !good
  console.log(
    `${good ? 'ok    ' : 'FAILED'} ${name} (${((performance.now() - startedAt) / 1000).toFixed(1)} s)`,
  )
}
process.exitCode = failed ? 1 : 0
