/** The import rules of the project's layout. Each test prints every place that breaks its rule. */
import { readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { importsOf, packageOf, readSources, resolveRelative, root, type Source, without } from './sources.ts'

const sources = readSources(['src', 'adapters', 'test', 'scripts'])
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}
const builtins = new Set(builtinModules)
const LONGEST_FILE_LINES = 400

interface Edge {
  from: Source
  specifier: string
  kind: 'static' | 'dynamic' | 'type'
  /** Path from the root, or null for a package or builtin. */
  target: string | null
}

const edges: Edge[] = [...sources.values()].flatMap((from) =>
  from.imports.map(({ specifier, kind }) => ({
    from,
    specifier,
    kind,
    target: resolveRelative(from.path, specifier),
  })),
)

const isBuiltin = (specifier: string) => specifier.startsWith('node:') || builtins.has(specifier)
/** Tests and what only tests use: it stands in a folder `testing`. */
const isTestCode = (path: string) => /(\.test\.ts|(^|\/)testing(\/.+)?\.ts)$/.test(path)
/** Code that only developers run: may use development dependencies. */
const isForDevelopers = (path: string) => isTestCode(path) || /^(test|scripts)\//.test(path)

/** Clients of systems that a benchmark compares: it looks first whether they are installed, and skips the system otherwise. */
const isOptional = (path: string, kind: Edge['kind']) =>
  kind === 'dynamic' && path.startsWith('src/bench/peers/')

const show = (broken: Edge[]) =>
  broken.map(({ from, specifier, kind }) => `${from.path}: ${kind} import of ${specifier}`)

/** Edges from below `folder` to project files that none of the prefixes allows. */
function leaving(folder: RegExp, allowed: (from: string) => readonly string[]): Edge[] {
  return edges.filter(
    ({ from, target }) =>
      folder.test(from.path) &&
      target !== null &&
      !allowed(from.path).some((prefix) => target.startsWith(prefix)),
  )
}

/** Paths of all modules that `entry` loads, with itself. Imports of types load nothing. */
function closure(entry: string): Source[] {
  const reached = new Set([entry])
  for (const path of reached) {
    for (const { from, target, kind } of edges) {
      if (from.path === path && target !== null && kind !== 'type') reached.add(target)
    }
  }
  return [...reached].map((path) => sources.get(path)).filter((source) => source !== undefined)
}

describe('import rules', () => {
  it('every relative import names a file of the project, with its extension', () => {
    const missing = edges.filter(({ target }) => {
      if (target === null || sources.has(target)) return false
      return (
        !/^(src|adapters|test|scripts)\/.+\.(json|css|html|svg)$/.test(target) && target !== 'package.json'
      )
    })
    expect(show(missing)).toEqual([])
  })

  it('an adapter imports src/adapter, src/envelope, src/content, itself and packages; never another adapter', () => {
    const broken = leaving(/^adapters\//, (from) => [
      `${from.split('/').slice(0, 2).join('/')}/`,
      'src/adapter/',
      'src/envelope/',
      'src/content/',
    ])
    expect(show(broken)).toEqual([])
  })

  it('an adapter never imports the registry, and imports the contract suite only in tests', () => {
    const broken = edges.filter(
      ({ from, target }) =>
        from.path.startsWith('adapters/') &&
        (target === 'src/adapter/registry.ts' ||
          (target?.startsWith('src/adapter/testing/') && !isTestCode(from.path))),
    )
    expect(show(broken)).toEqual([])
  })

  it('src/adapter and src/envelope import nothing of the rest', () => {
    const broken = leaving(/^src\/(adapter|envelope)\//, (from) => [
      `${from.split('/').slice(0, 2).join('/')}/`,
    ])
    expect(show(broken.filter(({ from }) => from.path !== 'src/adapter/registry.ts'))).toEqual([])
  })

  it('the registry alone imports adapters, and only lazily; tests may take them as they like', () => {
    const into = edges.filter(
      ({ from, target }) =>
        from.path.startsWith('src/') && target?.startsWith('adapters/') && !isTestCode(from.path),
    )
    const broken = into.filter(
      ({ from, kind }) => from.path !== 'src/adapter/registry.ts' || kind !== 'dynamic',
    )
    expect(show(broken)).toEqual([])
    expect(into.length, 'the registry lists adapters').toBeGreaterThan(0)
  })

  it('src imports nothing of test and scripts', () => {
    const broken = edges.filter(
      ({ from, target }) => /^(src|adapters)\//.test(from.path) && /^(test|scripts)\//.test(target ?? ''),
    )
    expect(show(broken)).toEqual([])
  })

  it.each(['src/client/index.ts', 'src/envelope/index.ts'])(
    '%s and all that it loads run in a browser',
    (entry) => {
      expect(sources.has(entry), `${entry} exists`).toBe(true)
      const broken = closure(entry).flatMap(({ path, code, imports }) => [
        ...imports
          .filter(({ specifier, kind }) => kind !== 'type' && isBuiltin(specifier))
          .map(({ specifier }) => `${path}: ${specifier}`),
        ...[
          ...code.matchAll(
            /(?<![\w.$'"`-])(Buffer(?=\s*[.([])|process(?=\s*(?:[.[]|\?\.))|__dirname|__filename|require(?=\())/g,
          ),
        ].map(([, name]) => `${path}: ${name}`),
      ])
      expect(broken).toEqual([])
    },
  )

  it('every package that is imported is a dependency of package.json', () => {
    const broken = edges.filter(({ from, specifier, target, kind }) => {
      if (target !== null || isBuiltin(specifier)) return false
      const name = packageOf(specifier)
      if (Object.hasOwn(manifest.dependencies, name)) return false
      return !(
        Object.hasOwn(manifest.devDependencies, name) &&
        (kind === 'type' || isForDevelopers(from.path) || isOptional(from.path, kind))
      )
    })
    expect(show(broken)).toEqual([])
  })

  it('builtin modules are named with node:', () => {
    expect(
      show(edges.filter(({ specifier }) => builtins.has(specifier) && !specifier.startsWith('node:'))),
    ).toEqual([])
  })

  it(`no file is longer than ${LONGEST_FILE_LINES} lines`, () => {
    const long = [...sources.values()].filter(({ lines }) => lines > LONGEST_FILE_LINES)
    expect(long.map(({ path, lines }) => `${path}: ${lines} lines`)).toEqual([])
  })
})

describe('the scan that the import rules stand on', () => {
  it('sees static, type, re-exported, bare and dynamic imports over one line or several', () => {
    const code = `
import a from 'a'
import { b,
  type B } from "b"
import type { C } from 'c'
import 'd'
export * from './e.ts'
export { f } from './f.ts'
export type { G } from './g.ts'
import * as h from '@scope/h/deep'
const lazy = () => import('./i.ts')
const worker = new URL('./j.ts', import.meta.url)
const page = new URL('./k', base)
export const from = 'not-an-import'
`
    expect(importsOf(code)).toEqual([
      { specifier: 'a', kind: 'static' },
      { specifier: 'b', kind: 'static' },
      { specifier: 'c', kind: 'type' },
      { specifier: 'd', kind: 'static' },
      { specifier: './e.ts', kind: 'static' },
      { specifier: './f.ts', kind: 'static' },
      { specifier: './g.ts', kind: 'type' },
      { specifier: '@scope/h/deep', kind: 'static' },
      { specifier: './i.ts', kind: 'dynamic' },
      { specifier: './j.ts', kind: 'dynamic' },
    ])
    expect(packageOf('@scope/h/deep')).toBe('@scope/h')
    expect(resolveRelative('src/a/b.ts', '../c.ts')).toBe('src/c.ts')
    expect(resolveRelative('src/a/b.ts', 'cborg')).toBe(null)
  })

  it('blanks comments only', () => {
    expect(without(['comment'], "a // import 'x'\nb")).toBe(`a ${' '.repeat("// import 'x'".length)}\nb`)
    expect(without(['comment'], '/* a\nb */c')).toBe(`${' '.repeat(4)}\n${' '.repeat(4)}c`)
    for (const kept of ["'http://a'", '`// a`', 'x = /[/]\\/*/.test(y)', 'const a = b / c / d']) {
      expect(without(['comment'], kept)).toBe(kept)
    }
  })
})
