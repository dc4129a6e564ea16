/** What is fuzzed: one row for each decoder of bytes or text that somebody else may have written. */
import type { Dice } from './dice.ts'
import { mutateBytes } from './mutate-bytes.ts'
import { mutateProtobuf } from './mutate-protobuf.ts'
import { mutateText } from './mutate-text.ts'
import { mutateCbor, mutateJson } from './mutate-tree.ts'

export type Input = Uint8Array | string

/**
 * What the mutator knows of the inputs. `cbor-container` and `json-container` hold several things that an attacker controls,
 * and are put together by the harness alone: they stay well-formed, and their leaves are mutated.
 */
export type Format = 'bytes' | 'cbor' | 'cbor-container' | 'protobuf' | 'json' | 'json-container' | 'text'

export interface Target<In extends Input = Input> {
  name: string
  format: Format
  /** Inputs of `npm run fuzz` unless `--inputs` says otherwise. Absent: {@link DEFAULT_INPUTS}. */
  inputs?: number
  /** Inputs within `npm test`. Absent: {@link TEST_INPUTS}. Fewer where one input costs a signature, a cipher or a request. */
  testInputs?: number
  /** Makes what the inputs are decoded with. */
  open(): Promise<Session<In>>
}

export interface Session<In extends Input = Input> {
  /** Inputs that must be accepted; all others are made of them. */
  seeds: readonly In[]
  /** Inputs known to be awkward, accepted or not. */
  hostile?: readonly In[]
  /** Decodes one input and returns what it was taken for. */
  run(input: In): unknown
  /** The stable code of an error that the decoder may answer with; null for any other error. */
  typed(error: unknown): string | null
  /** Checks something that was accepted, by other means than the decoder's. Says what is wrong, or null. */
  forged?(input: In, accepted: unknown): string | null | Promise<string | null>
  close?(): Promise<void>
}

export const DEFAULT_INPUTS = 200_000
export const TEST_INPUTS = 10_000

/** Lets rows of different kinds of input stand in one table. */
export function defineTarget<In extends Input>(target: Target<In>): Target {
  return target as unknown as Target
}

export function mutate(format: Format, input: Input, other: Input, dice: Dice): Input {
  if (typeof input === 'string') {
    const text = typeof other === 'string' ? other : input
    if (format === 'json') return mutateJson(input, dice, text)
    if (format === 'json-container') return mutateJson(input, dice, text, true)
    return mutateText(input, dice, text)
  }
  const bytes = typeof other === 'string' ? input : other
  if (format === 'cbor') return mutateCbor(input, dice, bytes)
  if (format === 'cbor-container') return mutateCbor(input, dice, bytes, true)
  if (format === 'protobuf') return mutateProtobuf(input, dice, bytes)
  return mutateBytes(input, dice, bytes)
}

/** `typed` for one error class with a `code`. */
export function codeOfClass(
  ...classes: readonly (abstract new (
    ...parameters: never[]
  ) => Error)[]
): (error: unknown) => string | null {
  return (error) => {
    const known = classes.some((type) => error instanceof type)
    return known ? String((error as { code?: unknown }).code) : null
  }
}
