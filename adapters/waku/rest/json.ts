/** JSON with exact 64-bit integers: nanosecond times exceed what a double holds. */

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

/** Parses JSON; values of the given keys come as bigint where they are integers. */
export function parseExact(text: string, bigintKeys: ReadonlySet<string>): unknown {
  const reviver: Reviver = (key, value, { source }) =>
    typeof value === 'number' && bigintKeys.has(key) && source !== undefined && /^-?\d+$/.test(source)
      ? BigInt(source)
      : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}

/** Writes JSON with bigints as plain integers. */
export function stringifyExact(value: unknown): string {
  const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }
  return JSON.stringify(value, (_key, item) => (typeof item === 'bigint' ? rawJSON(item.toString()) : item))
}
