/** Any network to any network, with real SDK clients on the outer ends. `npm run matrix` measures the same cells. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cell, isGreen, NETWORKS } from '../matrix/cells.ts'
import { measureSealed } from '../matrix/sealed.ts'
import { createWorld, type World } from '../matrix/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
}, 300_000)
afterAll(() => world?.close(), 60_000)

describe('sealed', () => {
  let cells: Cell[] = []
  beforeAll(async () => {
    cells = await measureSealed(world, 1)
  }, 300_000)

  const pairs = NETWORKS.flatMap((from) => NETWORKS.map((to) => [from, to] as const))
  it.each(pairs)('%s to %s', (from, to) => {
    const cell = cells.find((one) => one.from === from && one.to === to)
    expect(cell).toMatchObject({ problems: [], sent: 1, arrived: 1 })
    expect(cell && isGreen(cell)).toBe(true)
  })
})
