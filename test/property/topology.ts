/**
 * The invariants of the relay over random topologies: up to five gateways, joined by up to five simulated networks that
 * lose, double, delay and reorder messages, lose answers and go out; wallets that are served by any of the gateways or by
 * several; envelopes that come over HTTP and over networks, and come again. All time is virtual and nothing depends on the
 * machine: a seed gives the same run everywhere.
 */
import fc from 'fast-check'
import { play } from './topology-play.ts'
import { violations } from './topology-rules.ts'
import { type Scenario, scenarios } from './topology-scenario.ts'
import { buildWorld } from './topology-world.ts'

/** Runs that may be spent on making a failing scenario smaller. */
const SHRINKING_RUNS = 300

export interface LoopsOptions {
  /** Scenarios to play. */
  runs: number
  /** The same seed gives the same scenarios. */
  seed: number
  /** Told after each scenario. */
  onProgress?(done: number): void
}

export interface LoopsReport {
  runs: number
  seed: number
  seconds: number
  /** Over all runs. */
  totals: ScenarioFigures
  /** The first scenario that broke a promise, made as small as it would go. */
  failure: { scenario: Scenario; violations: string[]; path: string | null } | null
}

export interface ScenarioFigures {
  gateways: number
  networks: number
  envelopes: number
  /** Calls of networks' `send`. */
  sends: number
  /** Messages that networks handed to gateways, history included. */
  heard: number
  /** Sends with an uncertain outcome. */
  uncertain: number
  /** Longest hop trace on any frame, of all runs. */
  longestTrace: number
  /** Virtual time, seconds. */
  virtualSeconds: number
}

/** A scenario did not keep every promise. */
class BrokenPromise extends Error {
  readonly violations: string[]

  constructor(found: string[]) {
    super(found.slice(0, 20).join('\n'))
    this.violations = found
  }
}

/** Plays one scenario. Rejects with an error that lists what was broken. */
export async function playScenario(scenario: Scenario): Promise<ScenarioFigures> {
  const world = await buildWorld(scenario)
  try {
    const letters = await play(world, scenario)
    const found = violations(world, letters, scenario)
    if (found.length > 0) throw new BrokenPromise(found)
    const { sendings, hearings, gateways, networks } = world
    return {
      gateways: gateways.length,
      networks: networks.length,
      envelopes: letters.size,
      sends: sendings.length,
      heard: hearings.length,
      uncertain: sendings.filter(({ outcome }) => outcome === 'uncertain').length,
      longestTrace: Math.max(0, ...sendings.map(({ trace }) => trace.length)),
      virtualSeconds: world.clock.monotonic() / 1000,
    }
  } finally {
    await world.close()
  }
}

/** Plays random scenarios until one breaks a promise. */
export async function runLoops({ runs, seed, onProgress }: LoopsOptions): Promise<LoopsReport> {
  const startedAt = performance.now()
  const totals: ScenarioFigures = {
    gateways: 0,
    networks: 0,
    envelopes: 0,
    sends: 0,
    heard: 0,
    uncertain: 0,
    longestTrace: 0,
    virtualSeconds: 0,
  }
  let done = 0
  let shrinking = 0
  const property = fc.asyncProperty(scenarios, async (scenario) => {
    // Past the budget every smaller scenario counts as good, which ends the search.
    if (shrinking > 0 && ++shrinking > SHRINKING_RUNS) return
    try {
      const figures = await playScenario(scenario)
      if (shrinking > 0) return
      const longestTrace = Math.max(totals.longestTrace, figures.longestTrace)
      for (const name of Object.keys(totals) as (keyof ScenarioFigures)[]) totals[name] += figures[name]
      totals.longestTrace = longestTrace
      onProgress?.(++done)
    } catch (error) {
      shrinking ||= 1
      throw error
    }
  })
  const details = await fc.check(property, { numRuns: runs, seed })
  const error = details.errorInstance
  return {
    runs: details.numRuns,
    seed,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    totals,
    failure: details.failed
      ? {
          scenario: details.counterexample![0],
          violations:
            error instanceof BrokenPromise ? error.violations : [String((error as Error)?.stack ?? error)],
          path: details.counterexamplePath,
        }
      : null,
  }
}

/** What a person wants to read of a report. */
export function describeLoops({ runs, seed, seconds, totals, failure }: LoopsReport): string {
  const figures = [
    `${runs} topologies, seed ${seed}, ${seconds} s`,
    `  ${totals.gateways} gateways on ${totals.networks} networks, ${totals.envelopes} envelopes, ${totals.sends} sends ` +
      `(${totals.uncertain} with an uncertain outcome), ${totals.heard} messages heard`,
    `  longest trace ${totals.longestTrace} gateways, ${Math.round(totals.virtualSeconds)} s of virtual time`,
  ]
  if (failure === null) return [...figures, 'every promise held'].join('\n')
  return [
    ...figures,
    `${failure.violations.length} BROKEN (path ${failure.path}):`,
    ...failure.violations.map((text) => `  ${text}`),
    'scenario:',
    JSON.stringify(failure.scenario),
  ].join('\n')
}
