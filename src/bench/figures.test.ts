import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { renderFigures } from './figures.ts'

test('docs/reference/figures.md is what the reports render to: run node src/bench/figures.ts', () => {
  expect(readFileSync(new URL('../../docs/reference/figures.md', import.meta.url), 'utf8')).toBe(
    renderFigures(),
  )
})
