/** Runs one target: seeds, hostile inputs, then mutations, and checks what may never happen. */
import { createDice, type Dice, seedFor } from './dice.ts'
import { heapInUse } from './heap.ts'
import { minimise } from './minimise.ts'
import { type Input, mutate, type Session, type Target } from './target.ts'

/** A single input may take this long, milliseconds. */
const SLOWEST_MS = 2_000
/** The heap may be larger by this many bytes after the run than after its first tenth. */
const GROWTH_BYTES = 64 * 1024 * 1024
/** Failures that one input shows again at once. */
const MINIMISED: ReadonlySet<FailureKind> = new Set(['untyped', 'forged'])
/** Longer inputs are cut, bytes or characters: over every decoder's own limit. */
const LONGEST = 300 * 1024
/** Inputs that are decoded between two turns of the event loop, in which stray rejections come up. */
const BATCH = 64
/** Inputs that brought a new outcome are mutated further; this many are kept. */
const CORPUS = 256

/**
 * - `untyped`: an error that is not one of the decoder's own, or any error for a seed
 * - `slow`: over two seconds, twice
 * - `forged`: accepted although it is not what the seeds' owners made
 * - `grown`: the heap holds 64 MiB more than in the beginning
 * - `stray`: a rejection or exception that nobody handled
 * - `hang`, `crash`: the thread stopped answering, or ended
 */
export type FailureKind = 'untyped' | 'slow' | 'forged' | 'grown' | 'stray' | 'hang' | 'crash'

export interface Failure {
  kind: FailureKind
  detail: string
  /** Smallest input found that fails in the same way; null when the failure belongs to no single input. */
  input: Input | null
}

export interface Outcome {
  target: string
  seed: number
  inputs: number
  accepted: number
  /** Refused inputs by code. */
  refused: Record<string, number>
  milliseconds: number
  slowestMs: number
  grownBytes: number
  failure: Failure | null
}

export interface RunOptions {
  seed: number
  inputs: number
  /** Called before each input, so that a watcher knows it should the thread hang. */
  before?(input: Input, count: number): void
}

type Verdict = { outcome: string; failure: null } | { outcome: null; failure: Failure }

export async function fuzz(target: Target, options: RunOptions): Promise<Outcome> {
  const session = await target.open()
  const strays: unknown[] = []
  const onStray = (error: unknown) => {
    strays.push(error)
  }
  process.on('unhandledRejection', onStray)
  process.on('uncaughtException', onStray)
  try {
    return await fuzzSession(target, session, options, strays)
  } finally {
    await session.close?.()
    process.off('unhandledRejection', onStray)
    process.off('uncaughtException', onStray)
  }
}

/** Decodes one input, e.g. a failing one of an earlier run. */
export async function replay(target: Target, input: Input): Promise<Verdict> {
  const session = await target.open()
  try {
    return await judge(session, input)
  } finally {
    await session.close?.()
  }
}

async function fuzzSession(
  target: Target,
  session: Session,
  options: RunOptions,
  strays: readonly unknown[],
): Promise<Outcome> {
  const dice = createDice(seedFor(options.seed, target.name))
  const corpus: Input[] = [...session.seeds, ...(session.hostile ?? []).filter(isSmall)]
  const outcome: Outcome = {
    target: target.name,
    seed: options.seed,
    inputs: 0,
    accepted: 0,
    refused: {},
    milliseconds: 0,
    slowestMs: 0,
    grownBytes: 0,
    failure: await checkSeeds(session),
  }
  const hostile = session.hostile ?? []
  const warm = Math.ceil(options.inputs / 10)
  const seen = new Set<string>(['accepted'])
  let heapAtFirst: number | null = null
  const started = performance.now()
  while (outcome.failure === null && outcome.inputs < options.inputs) {
    const input = hostile[outcome.inputs] ?? nextInput(target, corpus, dice)
    options.before?.(input, outcome.inputs)
    outcome.inputs += 1
    const from = performance.now()
    const pending = judge(session, input)
    const verdict = pending instanceof Promise ? await pending : pending
    const took = performance.now() - from
    if (took > outcome.slowestMs) outcome.slowestMs = took
    outcome.failure = verdict.failure ?? (took > SLOWEST_MS ? await confirmSlow(session, input) : null)
    if (outcome.failure === null && strays.length > 0) outcome.failure = strayFailure(strays[0], input)
    if (verdict.outcome === 'accepted') outcome.accepted += 1
    else if (verdict.outcome !== null)
      outcome.refused[verdict.outcome] = (outcome.refused[verdict.outcome] ?? 0) + 1
    if (verdict.outcome !== null && !seen.has(verdict.outcome)) {
      seen.add(verdict.outcome)
      if (corpus.length < CORPUS && isSmall(input)) corpus.push(input)
    }
    if (outcome.inputs % BATCH === 0) await turnOfTheLoop()
    if (heapAtFirst === null && outcome.inputs >= warm) heapAtFirst = heapInUse()
  }
  outcome.milliseconds = performance.now() - started
  await turnOfTheLoop()
  if (outcome.failure === null && strays.length > 0) outcome.failure = strayFailure(strays[0], null)
  outcome.grownBytes = Math.max(0, heapInUse() - (heapAtFirst ?? Number.POSITIVE_INFINITY))
  if (outcome.failure === null && outcome.grownBytes > GROWTH_BYTES) {
    const megabytes = (outcome.grownBytes / 1024 / 1024).toFixed(1)
    outcome.failure = { kind: 'grown', detail: `the heap grew by ${megabytes} MiB`, input: null }
  }
  const { failure } = outcome
  if (failure?.input != null && MINIMISED.has(failure.kind))
    outcome.failure = await smallest(session, failure)
  return outcome
}

/** Small enough to be mutated often. */
function isSmall(input: Input): boolean {
  return input.length < 20_000
}

function nextInput(target: Target, corpus: readonly Input[], dice: Dice): Input {
  let input = mutate(target.format, dice.pick(corpus), dice.pick(corpus), dice)
  while (dice.chance(0.3) && input.length < LONGEST)
    input = mutate(target.format, input, dice.pick(corpus), dice)
  if (input.length <= LONGEST || target.format.endsWith('-container')) return input
  return input.slice(0, LONGEST)
}

async function checkSeeds(session: Session): Promise<Failure | null> {
  for (const input of session.seeds) {
    const verdict = await judge(session, input)
    if (verdict.failure) return verdict.failure
    if (verdict.outcome !== 'accepted') {
      return { kind: 'untyped', detail: `a seed was refused: ${verdict.outcome}`, input }
    }
  }
  return null
}

function judge(session: Session, input: Input): Verdict | Promise<Verdict> {
  try {
    const result = session.run(input)
    if (!(result instanceof Promise)) return judgeAccepted(session, input, result)
    return result.then(
      (accepted) => judgeAccepted(session, input, accepted),
      (error: unknown) => judgeError(session, input, error),
    )
  } catch (error) {
    return judgeError(session, input, error)
  }
}

function judgeAccepted(session: Session, input: Input, accepted: unknown): Verdict | Promise<Verdict> {
  const toVerdict = (wrong: string | null): Verdict =>
    wrong === null
      ? { outcome: 'accepted', failure: null }
      : { outcome: null, failure: { kind: 'forged', detail: wrong, input } }
  const polluted = 'polluted' in Object.prototype ? 'Object.prototype was changed' : null
  const wrong = polluted ?? session.forged?.(input, accepted) ?? null
  return wrong instanceof Promise ? wrong.then(toVerdict) : toVerdict(wrong)
}

function judgeError(session: Session, input: Input, error: unknown): Verdict {
  const code = session.typed(error)
  if (code !== null) return { outcome: code, failure: null }
  return { outcome: null, failure: { kind: 'untyped', detail: describe(error), input } }
}

/** A pause of the machine is not the decoder's: only an input that is slow again counts. */
async function confirmSlow(session: Session, input: Input): Promise<Failure | null> {
  const from = performance.now()
  await judge(session, input)
  const took = performance.now() - from
  return took > SLOWEST_MS ? { kind: 'slow', detail: `took ${Math.round(took)} ms, twice`, input } : null
}

function strayFailure(error: unknown, input: Input | null): Failure {
  return {
    kind: 'stray',
    detail: `in one of the last ${BATCH} inputs nobody handled ${describe(error)}`,
    input,
  }
}

/** Smaller inputs count as the same failure when kind and first line agree. */
async function smallest(session: Session, failure: Failure): Promise<Failure> {
  const firstLine = (text: string) => text.split('\n', 1)[0]
  const fails = async (input: Input) => {
    const { failure: found } = await judge(session, input)
    return (
      found !== null && found.kind === failure.kind && firstLine(found.detail) === firstLine(failure.detail)
    )
  }
  return { ...failure, input: await minimise(failure.input as Input, fails) }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `thrown value that is no error: ${String(error)}`
  return (error.stack ?? `${error.name}: ${error.message}`).split('\n').slice(0, 6).join('\n')
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
