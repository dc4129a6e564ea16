/** Outcomes in words. */
import { type CheckReport, whole } from '../../src/bench/checks.ts'
import type { Failure, Outcome } from './engine.ts'
import type { Input } from './target.ts'

export function outcomeLine(outcome: Outcome): string {
  const { target, inputs, accepted, refused, milliseconds, slowestMs, grownBytes, failure } = outcome
  const perSecond = Math.round((inputs / Math.max(1, milliseconds)) * 1000)
  const parts = [
    failure === null ? 'ok    ' : 'FAILED',
    target.padEnd(24),
    `${inputs} inputs`.padStart(14),
    `${perSecond}/s`.padStart(9),
    `${((accepted / Math.max(1, inputs)) * 100).toFixed(1)} % accepted`.padStart(17),
    `${Object.keys(refused).length} codes`.padStart(9),
    `slowest ${Math.round(slowestMs)} ms`,
    `heap +${(grownBytes / 1024 / 1024).toFixed(1)} MiB`,
  ]
  return failure === null ? parts.join('  ') : `${parts.join('  ')}\n${failureText(outcome, failure)}`
}

export function failureText({ target, seed }: Outcome, failure: Failure): string {
  const lines = [`  ${failure.kind}: ${failure.detail.replaceAll('\n', '\n    ')}`, `  seed: ${seed}`]
  if (failure.input !== null) {
    lines.push(`  again: npm run fuzz -- ${target} --replay '${showInput(failure.input)}'`)
    if (typeof failure.input !== 'string')
      lines.push(`  hex: ${shortened(Buffer.from(failure.input).toString('hex'))}`)
  }
  return lines.join('\n')
}

function shortened(hex: string): string {
  return hex.length <= 512 ? hex : `${hex.slice(0, 512)}… (${hex.length / 2} bytes)`
}

/** As `--replay` takes it. */
export function showInput(input: Input): string {
  return typeof input === 'string'
    ? `text:${JSON.stringify(input)}`
    : `base64:${Buffer.from(input).toString('base64')}`
}

export function summary(outcomes: readonly Outcome[]): string {
  const inputs = outcomes.reduce((sum, outcome) => sum + outcome.inputs, 0)
  const failed = outcomes.filter(({ failure }) => failure !== null)
  const verdict =
    failed.length === 0 ? 'nothing found' : `failures in ${failed.map(({ target }) => target).join(', ')}`
  return `${outcomes.length} targets, ${inputs.toLocaleString('en')} inputs: ${verdict}`
}

export function fuzzFigures(outcomes: readonly Outcome[]): Pick<CheckReport, 'held' | 'figures' | 'notes'> {
  const failed = outcomes.filter(({ failure }) => failure !== null)
  const most = (values: number[]) => Math.max(0, ...values)
  const inputs = outcomes.map((outcome) => outcome.inputs)
  return {
    held: failed.length === 0,
    figures: [
      ['decoders', whole(outcomes.length)],
      ['inputs', whole(inputs.reduce((sum, count) => sum + count, 0))],
      ['inputs of one decoder', `${whole(Math.min(...inputs))} – ${whole(most(inputs))}`],
      ['slowest input', `${whole(most(outcomes.map(({ slowestMs }) => slowestMs)))} ms`],
      [
        'most growth of the heap',
        `${(most(outcomes.map(({ grownBytes }) => grownBytes)) / 1024 / 1024).toFixed(1)} MiB`,
      ],
      [
        'crashes, untyped errors, hangs, growth, forgeries',
        failed.length === 0 ? '0' : failed.map(({ target }) => target).join(', '),
      ],
    ],
    notes: [`Seed ${outcomes[0]?.seed ?? '–'}. \`npm run fuzz -- --list\` names the decoders.`],
  }
}
