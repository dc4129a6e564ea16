import type { WordsCommand } from '../command.ts'

export const command: WordsCommand = {
  summary: 'Run a benchmark, against ceilings or other systems of the same run.',
  async runWords(words) {
    const { runBenchCommand } = await import('../../bench/command.ts')
    return runBenchCommand(words, 'causeway bench')
  },
}
