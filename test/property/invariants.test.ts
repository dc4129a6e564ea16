/**
 * The invariants of the relay by name, and for each guard behind them the test that fails without it. That the tests do fail
 * is seen by `node test/property/invariants.ts`, which takes every guard out; here the list is held to the tree.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { invariantsPage, withoutGuard } from './invariants.ts'
import { INVARIANTS } from './invariants-guards.ts'

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', '..', file), 'utf8')

describe.each(INVARIANTS)('$name', ({ guards }) => {
  it.each(guards)('$rule', (guard) => {
    const source = read(guard.source)
    expect(withoutGuard(source, guard)).not.toBe(source)
    const [file, title] = guard.test
    expect(read(file), `${file} has the test`).toContain(title)
  })
})

it('docs/reference/invariants.md is what `node test/property/invariants.ts --table` prints', () => {
  expect(read('docs/reference/invariants.md')).toBe(invariantsPage())
})
