/**
 * Runs steps one after the other, all of them, whatever fails: what is to be stopped is stopped. Then rejects with the one
 * error, or an `AggregateError` of several.
 */
export async function runAll(steps: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) await step().catch((error: unknown) => errors.push(error))
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} parts did not stop well`)
  if (errors.length === 1) throw errors[0]
}
