/** What the list of guards is made of. */

export interface Guard {
  /** What holds because of it. */
  rule: string
  /** File of the guard, and the edits that take it out; each text stands there exactly once. */
  source: string
  edits: readonly (readonly [find: string, replace: string])[]
  /** File and title of a test that fails without it. */
  test: readonly [file: string, title: string]
}

export interface Invariant {
  /** As DESIGN section 7 has it. */
  name: string
  guards: readonly Guard[]
}

/** A file of the relay. */
export const relay = (file: string) => `src/relay/${file}.ts`
/** A test of the relay. */
export const tests = (file: string, title: string): Guard['test'] => [`src/relay/${file}.test.ts`, title]
