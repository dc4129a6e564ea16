import { expect, test } from 'vitest'
import { type CrashReport, runCrash } from './crash.ts'

/** Waku and XMTP take longer to start, so fewer of the kills are of a gateway with them. */
test.each([
  { kills: 42, seed: 11, networks: ['trtc'] },
  { kills: 8, seed: 12, networks: ['trtc', 'waku'] },
  { kills: 5, seed: 13, networks: ['trtc', 'xmtp'] },
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
