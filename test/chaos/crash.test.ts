import { expect, test } from 'vitest'
import { type CrashReport, runCrash } from './crash.ts'

/** Waku takes longer to start, so fewer of the fifty kills are of a gateway with both networks. */
test.each([
  { kills: 42, seed: 11, networks: ['trtc'] },
  { kills: 8, seed: 12, networks: ['trtc', 'waku'] },
])(
  'nothing acknowledged is lost and nothing doubled over $kills kills with $networks',
  async (options) => {
    const report: CrashReport = await runCrash(options)
    expect(report.violations).toEqual([])
    for (const way of ['http', ...options.networks]) {
      expect(report.ways[way]?.acknowledged, way).toBeGreaterThan(10)
    }
  },
  1_200_000,
)
