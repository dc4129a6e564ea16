/** Any network to any network, with real SDK clients on the outer ends. `npm run matrix` measures the same cells. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cell, isGreen, type Mode, NETWORKS } from '../matrix/cells.ts'
import { measureHop } from '../matrix/hop.ts'
import { measureOpaque, WITH_CIPHERTEXT } from '../matrix/opaque.ts'
import { WITH_NATIVE_CLIENTS } from '../matrix/people.ts'
import { measureSealed } from '../matrix/sealed.ts'
import { createWorld, type World } from '../matrix/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
}, 300_000)
afterAll(() => world?.close(), 60_000)

const pairs = (sources: readonly string[]) =>
  sources.flatMap((from) => NETWORKS.map((to) => [from, to] as const))

/** One message a cell. */
function describeMode(
  mode: Mode,
  measure: (world: World, samples: number) => Promise<Cell[]>,
  wanted: (readonly [from: string, to: string])[],
): void {
  describe(mode, () => {
    let cells: Cell[] = []
    beforeAll(async () => {
      cells = await measure(world, 1)
    }, 400_000)

    it.each(wanted)('%s to %s', (from, to) => {
      const cell = cells.find((one) => one.from === from && one.to === to)
      expect(cell).toMatchObject({ mode, problems: [], sent: 1, arrived: 1 })
      expect(cell && isGreen(cell)).toBe(true)
    })
  })
}

describeMode('sealed', measureSealed, pairs(NETWORKS))
describeMode('hop', measureHop, pairs(WITH_NATIVE_CLIENTS))
describeMode(
  'opaque',
  measureOpaque,
  pairs(WITH_CIPHERTEXT).filter(([from, to]) => from !== to),
)
