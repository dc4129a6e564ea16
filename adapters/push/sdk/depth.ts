/** How deep a message may be nested: what copies it to another thread or writes it as JSON calls itself for each level. */

/** Levels of arrays and objects within each other; messages of Push’s applications have under ten. */
export const MOST_LEVELS = 64

/** Whether plain data is nested deeper than `MOST_LEVELS`. */
export function isTooDeep(value: unknown, levels = MOST_LEVELS): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((part) => isTooDeep(part, levels - 1))
}
