import { expect, test } from 'vitest'
import { describeLoops, playScenario, runLoops } from './topology.ts'
import type { Scenario } from './topology-scenario.ts'

/** More, and other seeds: `npm run chaos -- loops --help`. */
const RUNS = 12
const SEED = 1

test('random topologies: everything arrives once, traffic dies out, no frame visits a gateway twice', async () => {
  const report = await runLoops({ runs: RUNS, seed: SEED })
  expect(report.failure, describeLoops(report)).toBeNull()
  expect(report.runs).toBe(RUNS)
}, 600_000)

test('a seed gives the same run, to the last message', async () => {
  const first = await runLoops({ runs: 2, seed: 7 })
  expect((await runLoops({ runs: 2, seed: 7 })).totals).toEqual(first.totals)
}, 120_000)

const calm: Scenario['networks'][number] = {
  seed: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  answerLoss: 0,
  latencyMs: 0,
  echo: false,
  idempotentSend: false,
  history: true,
}
const mirror = { policy: 'mirror' as const, order: 'ranked' as const, fallbackAfterMs: 60 }

test('an envelope that came over a network first goes on to a stranger when its sender posts it', async () => {
  const gateway = { serves: 0, route: mirror, clockMs: 0 }
  await playScenario({
    seed: 0,
    networks: [calm, calm, calm],
    gateways: [
      { ...gateway, joined: 0 },
      { ...gateway, joined: 0b1101, serves: 0b1001 },
    ],
    steps: [
      { afterMs: 0, what: { kind: 'post', letter: { from: 0, to: [0, 2] }, gateway: 0 } },
      { afterMs: 120, what: { kind: 'post-again', which: 0, gateway: 1 } },
    ],
  })
})

test('a ring of five gateways, each pair on a network of its own, carries a message once to each', async () => {
  const gateways = [0, 1, 2, 3, 4].map((index) => ({
    joined: (1 << index) | (1 << ((index + 1) % 5)),
    serves: 0b0010,
    route: mirror,
    clockMs: index % 2 === 0 ? 20_000 : -20_000,
  }))
  const figures = await playScenario({
    seed: 5,
    networks: [calm, calm, calm, calm, calm],
    gateways,
    steps: [{ afterMs: 0, what: { kind: 'post', letter: { from: 0, to: [1] }, gateway: 0 } }],
  })
  // Gateway 0 sends on its two networks, and each next gateway on the one that has not heard of it.
  expect(figures.longestTrace).toBe(3)
  expect(figures.sends).toBeGreaterThanOrEqual(5)
  expect(figures.sends).toBeLessThanOrEqual(6)
})
