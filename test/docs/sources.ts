/** Reads the project's sources for tests of its structure. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of `package.json`. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Import {
  specifier: string
  kind: 'static' | 'dynamic' | 'type'
}

export interface Source {
  /** From the root, with `/`. */
  path: string
  lines: number
  /** The code without comments, strings kept. */
  code: string
  imports: Import[]
}

/** All scripts below the folders, by path. */
export function readSources(folders: readonly string[]): Map<string, Source> {
  const sources = new Map<string, Source>()
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.(ts|tsx|js|mjs|cjs)$/.test(entry.name)) continue
      const path = relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/')
      const text = readFileSync(join(root, path), 'utf8')
      sources.set(path, {
        path,
        lines: text.split('\n').length - 1,
        code: without(['comment'], text),
        imports: importsOf(text),
      })
    }
  }
  return sources
}

/** Path from the root of what a relative specifier in `from` names; null for packages and builtins. */
export function resolveRelative(from: string, specifier: string): string | null {
  if (!specifier.startsWith('.')) return null
  return join(dirname(from), specifier).replaceAll('\\', '/')
}

/** Name of the package of a bare specifier: `@a/b/c` gives `@a/b`. */
export function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/**
 * Strings, templates, regular expressions (a slash where a value may begin) and comments. Nested templates come out
 * as several, which is good enough for blanking.
 */
const TOKENS = new RegExp(
  [
    /(?<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/,
    /(?<template>`(?:\\[\s\S]|[^`\\])*`)/,
    /(?<comment>\/\/[^\n]*|\/\*[\s\S]*?\*\/)/,
    /(?<expression>(?<=(?:^|[=(,:;!&|?{}[\n]|return)\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
)

/** The code with every token of the kinds replaced by as many spaces, lines kept. */
export function without(kinds: readonly ('comment' | 'template')[], text: string): string {
  return text.replace(TOKENS, (...match) => {
    const groups = match.at(-1) as Record<string, string | undefined>
    const whole = match[0] as string
    return kinds.some((kind) => groups[kind] !== undefined) ? whole.replace(/[^\n]/g, ' ') : whole
  })
}

/**
 * Imports and re-exports of a module; files named by `new URL('./x.ts', import.meta.url)` are dynamic imports.
 * Specifiers that are no literals are not seen.
 */
export function importsOf(text: string): Import[] {
  const found: Import[] = []
  const code = without(['comment', 'template'], text)
  const statement =
    /(?:^|[;\n}])\s*(?:import|export)\s+(type\s+)?(?:[\w*$\s{},]*?\sfrom\s*)?(['"])([^'"\n]+)\2/g
  for (const match of code.matchAll(statement)) {
    found.push({ specifier: match[3]!, kind: match[1] ? 'type' : 'static' })
  }
  const loader = /\b(?:import|require|import\.meta\.resolve)\(\s*(['"])([^'"\n]+)\1/g
  const file = /\bnew URL\(\s*(['"])(\.[^'"\n]+\.[mc]?[jt]s)\1/g
  for (const match of [...code.matchAll(loader), ...code.matchAll(file)]) {
    found.push({ specifier: match[2]!, kind: 'dynamic' })
  }
  return found
}
