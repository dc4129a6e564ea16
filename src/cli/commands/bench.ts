import type { WordsCommand } from '../command.ts'

export const command: WordsCommand = {
  summary: 'Run a benchmark, or measure latency: natively, through the gateway, of what was carried.',
  async runWords(words) {
    const { runBenchCommand } = await import('../../bench/command.ts')
    return runBenchCommand(words, 'causeway bench')
  },
}
