import type { Journey } from '../client/index.ts'
import { style } from './command.ts'
import { plain } from './plain.ts'

const MARKS: Record<string, string> = {
  success: '●',
  willRetry: '↻',
  failure: '✗',
  uncertain: '?',
  superseded: '○',
}

/** Draws a journey as lines, one per checkpoint, with milliseconds since the gateway accepted the envelope. */
export function drawJourney(journey: Journey): string {
  const start = journey.checkpoints[0]
  if (!start) return `no journey for ${journey.id}`
  const lines = journey.checkpoints.map((checkpoint) => {
    const elapsed = `+${(checkpoint.monotonic - start.monotonic).toFixed(1)} ms`.padStart(12)
    const mark = MARKS[checkpoint.status] ?? '·'
    const where = (checkpoint.network ?? '').padEnd(10)
    const detail = checkpoint.detail ? style('dim', ` ${plain(checkpoint.detail)}`) : ''
    return `  ${elapsed}  ${mark} ${where} ${checkpoint.name}${detail}`
  })
  const ends = journey.deliveries.map(
    ({ network, state, attempt, reason }) =>
      `  ${network.padEnd(10)} ${state}${attempt > 1 ? ` after ${attempt} tries` : ''}${reason ? ` (${plain(reason)})` : ''}`,
  )
  return [style('bold', `journey of ${journey.id.slice(0, 16)}…`), ...lines, 'deliveries', ...ends].join('\n')
}
