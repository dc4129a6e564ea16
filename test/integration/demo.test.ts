/** `npm run demo` is the first thing that people run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runCommandLine } from '../support/command-line.ts'

it('shows the main job end to end and exits 0', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'causeway-demo-'))
  try {
    const { exit, output, errors } = await runCommandLine(['demo'], { cwd, environment: { NO_COLOR: '1' } })
    expect(`${output}${errors}`).toContain('All of it happened.')
    expect(output).toContain('arrives once')
    expect(output).toMatch(/● http +delivered/)
    expect(exit).toBe(0)
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
}, 180_000)
