/** Takes each guard of the relay's invariants out of a copy of the tree, and sees whether its test fails. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Guard } from './invariants-guard.ts'
import { INVARIANTS } from './invariants-guards.ts'

const HELP = `Usage: npx node test/property/invariants.ts [options]

Takes each guard of the relay out of a copy of the tree, one at a time, and runs the test that must fail then.

  --only <words>   guards whose rule contains this
  --table          prints docs/reference/invariants.md instead
  --help

Exit codes: 0 every guard is missed by its test, 1 one is not, 2 wrong usage.`

const INTRODUCTION = `# Invariants and their guards

What the relay promises, what in the source keeps each promise, and the test that fails when that guard is taken out.
\`npx node test/property/invariants.ts\` takes every guard out of a copy of the tree, one at a time, and sees its test fail.
This page is its \`--table\`.

All promises together are checked over random topologies of up to five gateways and five faulty networks:
\`npm run chaos -- loops --runs 500 --seed 1\`. A ring with real Waku nodes in it is \`test/property/topology-waku.test.ts\`.

One guard is not listed, because nothing fails without it: keys of small order are refused before OpenSSL sees them
(\`src/relay/signatures.ts\`), and OpenSSL 3.5 refuses them too.
`

/** The page `docs/reference/invariants.md`. */
export function invariantsPage(): string {
  const sections = INVARIANTS.map(({ name, guards }) => {
    const rows = guards.map(
      ({ rule, source, test: [file, title] }) => `| ${rule} | \`${source}\` | \`${file}\`: ${title} |`,
    )
    return ['', `## ${name}`, '', '| guard | source | fails without it |', '|---|---|---|', ...rows, ''].join(
      '\n',
    )
  })
  return INTRODUCTION + sections.join('')
}

const ROOT = join(import.meta.dirname, '..', '..')
const COPIED = ['src', 'adapters', 'test', 'config', 'package.json', 'tsconfig.json', 'vitest.config.ts']

/** The source without the guard. Throws `RangeError` when the guard is not where the list says. */
export function withoutGuard(source: string, { rule, edits }: Guard): string {
  return edits.reduce((text, [find, replace]) => {
    const parts = text.split(find)
    if (parts.length !== 2) {
      throw new RangeError(`"${rule}": the guard stands ${parts.length - 1} times in its source, not once`)
    }
    return parts.join(replace)
  }, source)
}

interface Outcome {
  failed: string[]
  passed: number
}

async function runTest(root: string, [file, title]: Guard['test']): Promise<Outcome> {
  const pattern = title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const output = join(root, 'report.json')
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const words = [vitest, 'run', file, '-t', pattern, '--reporter=json', `--outputFile=${output}`]
  await rm(output, { force: true })
  // It ends with an error where tests fail; the report says which.
  await new Promise<void>((resolve) => execFile(process.execPath, words, { cwd: root }, () => resolve()))
  const report = JSON.parse(await readFile(output, 'utf8')) as {
    numPassedTests: number
    testResults: { assertionResults: { title: string; status: string }[] }[]
  }
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = results.filter(({ status }) => status === 'failed').map((one) => one.title)
  return { failed, passed: report.numPassedTests }
}

async function tryGuard(root: string, guard: Guard): Promise<boolean> {
  const path = join(root, guard.source)
  const source = await readFile(path, 'utf8')
  await writeFile(path, withoutGuard(source, guard))
  try {
    const { failed, passed } = await runTest(root, guard.test)
    const missed = failed.some((title) => title.includes(guard.test[1]) || guard.test[1].includes(title))
    const found = missed ? 'missed' : `NOT MISSED (${passed} passed, ${failed.length} failed)`
    console.log(`${found.padEnd(8)} ${guard.rule}`)
    return missed
  } finally {
    await writeFile(path, source)
  }
}

async function main(only: string): Promise<boolean> {
  const root = await mkdtemp(join(tmpdir(), 'causeway-invariants-'))
  try {
    for (const name of COPIED) await cp(join(ROOT, name), join(root, name), { recursive: true })
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'))
    let missed = true
    for (const guard of INVARIANTS.flatMap(({ guards }) => guards)) {
      if (guard.rule.includes(only)) missed = (await tryGuard(root, guard)) && missed
    }
    return missed
  } finally {
    await rm(root, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      table: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) console.log(HELP)
  else if (values.table) process.stdout.write(invariantsPage())
  else process.exitCode = (await main(values.only)) ? 0 : 1
}
