/** Every decoder under hostile inputs, in fewer than `npm run fuzz` takes, and the fuzzer itself under decoders that err. */
import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { createDice } from './dice.ts'
import { fuzz, type Outcome, replay } from './engine.ts'
import { minimise } from './minimise.ts'
import { type Job, runJobs } from './pool.ts'
import { failureText, outcomeLine } from './report.ts'
import { defineTarget, type Format, mutate, type Session, type Target, TEST_INPUTS } from './target.ts'
import { targets } from './targets/index.ts'

const SEED = 20_260_115

describe('hostile input', () => {
  it('neither crashes a decoder nor draws an untyped error, hangs, makes it grow, or passes as somebody else’s', async () => {
    const jobs = targets.map(
      ({ name, testInputs = TEST_INPUTS }): Job => ({ target: name, seed: SEED, inputs: testInputs }),
    )
    const fewer = jobs
      .filter(({ inputs }) => inputs < TEST_INPUTS)
      .map(({ target, inputs }) => `${target} ${inputs}`)
    console.log(
      `${TEST_INPUTS} inputs each; fewer where one costs a signature, a cipher or a request: ${fewer.join(', ')}`,
    )
    const outcomes: Outcome[] = []
    for await (const outcome of runJobs(jobs, Math.min(2, availableParallelism()))) outcomes.push(outcome)
    console.log(outcomes.map(outcomeLine).join('\n'))
    const failures = outcomes.flatMap((outcome) =>
      outcome.failure ? [failureText(outcome, outcome.failure)] : [],
    )
    expect(failures).toEqual([])
    // Inputs that are all refused at the door, or all taken, would test nothing.
    for (const { target, accepted, refused } of outcomes) {
      expect(accepted, `${target}: accepted`).toBeGreaterThan(0)
      expect(Object.keys(refused).length, `${target}: codes of refusals`).toBeGreaterThan(0)
    }
  }, 600_000)
})

describe('the fuzzer', () => {
  it('finds an untyped error and cuts its input down to the cause', async () => {
    const outcome = await run({
      run(input) {
        if (input.includes(0xff) && input.length > 3) throw new TypeError('four bytes, one of them 255')
        return input
      },
    })
    expect(outcome.failure).toMatchObject({ kind: 'untyped', detail: expect.stringContaining('TypeError') })
    expect(outcome.failure?.input).toHaveLength(4)
    expect(outcome.failure?.input).toContain(0xff)
  })

  it('finds a forgery, by what the target says of the accepted input', async () => {
    const outcome = await run({
      run: (input) => input.length,
      forged: (_input, length) => (length === 5 ? 'five bytes' : null),
    })
    expect(outcome.failure).toMatchObject({ kind: 'forged', detail: 'five bytes' })
    expect(outcome.failure?.input).toHaveLength(5)
  })

  it('finds a rejection that nobody handles', async () => {
    const outcome = await run({
      run(input) {
        if (input.length === 7) void Promise.reject(new Error('left alone'))
        return input
      },
    })
    expect(outcome.failure).toMatchObject({ kind: 'stray', detail: expect.stringContaining('left alone') })
  })

  it('finds memory that is kept', async () => {
    const kept: unknown[] = []
    const outcome = await run(
      { run: () => kept.push(Array.from({ length: 50_000 }, (_, index) => index * 1.5)) },
      400,
    )
    expect(outcome.failure).toMatchObject({ kind: 'grown', input: null })
  })

  it('finds an input that takes seconds', async () => {
    let once = false
    const outcome = await run({
      async run(input) {
        if (input.length !== 9 && !once) return input
        once = true
        await new Promise((resolve) => setTimeout(resolve, 2_100))
        return input
      },
    })
    expect(outcome.failure?.kind).toBe('slow')
  })

  it('finds a change of Object.prototype', async () => {
    const outcome = await run({
      run(input) {
        if (input.length === 6)
          Object.defineProperty(Object.prototype, 'polluted', { value: true, configurable: true })
        return input
      },
    })
    Reflect.deleteProperty(Object.prototype, 'polluted')
    expect(outcome.failure).toMatchObject({ kind: 'forged', detail: 'Object.prototype was changed' })
  })

  it('refuses seeds that are refused, so that no target tests nothing', async () => {
    const outcome = await run({
      run() {
        throw new RangeError('no')
      },
      typed: () => 'no',
    })
    expect(outcome).toMatchObject({ inputs: 0, failure: { detail: 'a seed was refused: no' } })
  })

  it('gives the same inputs for the same seed', () => {
    const inputs = (format: Format, seed: number) => {
      const dice = createDice(seed)
      const base = format.startsWith('json')
        ? '{"a":[1,"b"],"c":{"d":null}}'
        : Uint8Array.of(0x82, 0x01, 0x61, 0x62)
      return Array.from({ length: 300 }, () => mutate(format, base, base, dice))
    }
    for (const format of ['bytes', 'cbor', 'cbor-container', 'protobuf', 'json', 'json-container'] as const) {
      expect(inputs(format, 1)).toEqual(inputs(format, 1))
      expect(inputs(format, 1)).not.toEqual(inputs(format, 2))
    }
  })

  it('keeps containers readable', () => {
    const dice = createDice(3)
    let text = '{"a":[1,"b"],"c":{"d":null}}'
    for (let count = 0; count < 2_000; count++) {
      text = String(mutate('json-container', text.length > 2_000 ? '{"a":[1]}' : text, text, dice))
      expect(() => JSON.parse(text)).not.toThrow()
    }
  })

  it('minimises text as well as bytes', async () => {
    expect(
      await minimise('some long text with an x in it', async (input) => String(input).includes('x')),
    ).toBe('x')
  })

  it('decodes a printed input again', async () => {
    const target = targetOf({ run: (input) => input })
    expect(await replay(target, Uint8Array.of(1))).toEqual({ outcome: 'accepted', failure: null })
  })
})

function targetOf(session: Partial<Session<Uint8Array>> & Pick<Session<Uint8Array>, 'run'>): Target {
  const open = async () => ({ seeds: [Uint8Array.of(1, 2, 3)], typed: () => null, ...session })
  return defineTarget<Uint8Array>({ name: 'self-test', format: 'bytes', open })
}

function run(session: Parameters<typeof targetOf>[0], inputs = 5_000): Promise<Outcome> {
  return fuzz(targetOf(session), { seed: 1, inputs })
}
