import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Folders and files whose tests take longest, longest first: begun last, they would run on with one of the cores idle. */
const LONGEST = ['/test/chaos/', '/test/contract/', '/test/fuzz/', '/test/integration/']

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((folder) => moduleId.includes(folder))
      return place < 0 ? LONGEST.length : place
    }
    return (await super.sort(files)).toSorted((left, right) => placeOf(left) - placeOf(right))
  }
}

// Two test workers: the suites start real network nodes, and the project promises to pass on a machine with two cores.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'adapters/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
})
