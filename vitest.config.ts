import { defineConfig } from 'vitest/config'

// Two test workers: the suites start real network nodes, and the project promises to pass on a machine with two cores.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'adapters/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
