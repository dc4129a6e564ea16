import { expect, test } from 'vitest'
import { keptReport, readGuide, renderGuide } from './guide.ts'

test('the guide shows the run that is kept (run: node src/bench/latency/guide.ts)', () => {
  expect(renderGuide(readGuide(), keptReport())).toBe(readGuide())
})

test('without a run it says so, and a page without its marks is refused', () => {
  expect(renderGuide(readGuide(), null)).toContain('No run is recorded here yet.')
  expect(() => renderGuide('# nothing', null)).toThrow('needs')
})
