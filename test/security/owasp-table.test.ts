/** The table in SECURITY.md names the tests that there are, all of them and no others. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const here = fileURLToPath(new URL('.', import.meta.url))
const document = readFileSync(new URL('../../SECURITY.md', import.meta.url), 'utf8')

/** Names of tests by row, `API1` to `API10`. */
type Rows = Map<string, Set<string>>

function add(rows: Rows, row: string, name: string): void {
  rows.set(row, (rows.get(row) ?? new Set()).add(name))
}

function testsInSources(): Rows {
  const rows: Rows = new Map()
  for (const file of readdirSync(here).filter((name) => name.endsWith('.test.ts'))) {
    const source = readFileSync(here + file, 'utf8')
    for (const [, row, name] of source.matchAll(/\bit\('(API\d+): ([^']+)'/g)) add(rows, row!, name!)
  }
  return rows
}

function testsInDocument(): Rows {
  const rows: Rows = new Map()
  for (const [, row, cell] of document.matchAll(/^\| (API\d+) [^|]*\| ([^|]*) \|$/gm)) {
    for (const name of cell!.split('<br>')) add(rows, row!, name.trim())
  }
  return rows
}

it('every row has at least three tests', () => {
  const rows = testsInDocument()
  expect([...rows.keys()]).toEqual(Array.from({ length: 10 }, (_, index) => `API${index + 1}`))
  for (const [row, names] of rows) expect(names.size, row).toBeGreaterThanOrEqual(3)
})

it('the table and the tests name each other', () => {
  const [documented, existing] = [testsInDocument(), testsInSources()]
  expect(new Set(documented.keys())).toEqual(new Set(existing.keys()))
  for (const [row, names] of existing)
    expect([...(documented.get(row) ?? [])].sort(), row).toEqual([...names].sort())
})
