/**
 * `npm run generate`: writes every generated file. With `--check` it writes nothing and exits 1 when one is not fresh.
 * Sources: the zod schemas of the configuration, the registry of problems, the routes, the metrics, the adapters' manifests,
 * the envelope's test vectors, the measured matrix.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { renderCapabilitiesReference } from '../src/adapter/reference.ts'
import { renderConfigReference, renderConfigSchema } from '../src/config/reference.ts'
import { renderContentReference } from '../src/content/reference.ts'
import { renderErrorsReference, renderMetricsReference, renderOpenApi } from '../src/http/index.ts'
import { withMatrix } from '../test/matrix/table.ts'
import { renderEnvelopeReference } from './envelope-vectors.ts'

const root = new URL('../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

export const generated: Record<string, () => string | Promise<string>> = {
  'README.md': async () =>
    withMatrix(await read('README.md'), JSON.parse(await read('docs/reference/figures/matrix.json'))),
  'config/schema.json': renderConfigSchema,
  'docs/reference/config.md': renderConfigReference,
  'docs/reference/networks.md': renderCapabilitiesReference,
  'docs/reference/content.md': renderContentReference,
  'docs/reference/errors.md': renderErrorsReference,
  'docs/reference/metrics.md': renderMetricsReference,
  'docs/reference/openapi.json': renderOpenApi,
  'docs/reference/envelope-v1.md': async () =>
    renderEnvelopeReference(await read('docs/reference/envelope-v1.md')),
}

/** Paths of the generated files that differ from what would be written. */
export async function staleFiles(root: URL): Promise<string[]> {
  const stale: string[] = []
  for (const [path, render] of Object.entries(generated)) {
    const current = await readFile(new URL(path, root), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
    if (current !== ensureNewline(await render())) stale.push(path)
  }
  return stale
}

function ensureNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`
}

if (import.meta.main) {
  const stale = await staleFiles(root)
  if (process.argv.includes('--check')) {
    for (const path of stale) console.error(`not fresh: ${path} (run: npm run generate)`)
    process.exitCode = stale.length > 0 ? 1 : 0
  } else {
    for (const path of stale) {
      await writeFile(new URL(path, root), ensureNewline((await generated[path]?.()) ?? ''))
      console.log(`wrote ${path}`)
    }
  }
}
