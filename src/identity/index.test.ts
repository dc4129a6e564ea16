import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** Every file that `entry` leads to by relative imports, types left out. */
function reachable(entry: URL, seen = new Map<string, string>()): Map<string, string> {
  if (seen.has(entry.href)) return seen
  const source = readFileSync(entry, 'utf8')
  seen.set(entry.href, source)
  const imports = source.matchAll(/^(?:import|export)(?! type)[^'"]*?from '(\.[^']+)'/gms)
  for (const [, path] of imports) reachable(new URL(path!, entry), seen)
  return seen
}

describe('the pure part of identity', () => {
  it('runs in browsers: nothing of Node is behind its index', () => {
    const files = reachable(new URL('./index.ts', import.meta.url))
    expect([...files.keys()].some((path) => path.endsWith('/key-log.ts'))).toBe(true)
    for (const [path, source] of files) {
      expect(source, path).not.toMatch(/from 'node:|\bBuffer\.|\bprocess\.|\brequire\(/)
      expect(path).not.toMatch(/\/(service|trust|address-map|store)/)
    }
  })
})
