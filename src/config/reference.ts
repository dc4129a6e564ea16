/** Renders the configuration's reference and JSON Schema from the zod schemas, those of the adapters included. */
import { z } from 'zod'
import { loadAdapter, networkNames } from '../adapter/registry.ts'
import { configSchema, environmentKeys } from './schema.ts'

interface JsonSchema {
  type?: string
  description?: string
  default?: unknown
  properties?: Record<string, JsonSchema>
  required?: string[]
  enum?: unknown[]
  const?: unknown
  anyOf?: JsonSchema[]
  oneOf?: JsonSchema[]
  [key: string]: unknown
}

function toSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema
}

/** JSON Schema (2020-12) of the configuration file, for editors. */
export async function renderConfigSchema(): Promise<string> {
  const schema = toSchema(configSchema)
  const networks: Record<string, JsonSchema> = {}
  for (const name of networkNames) {
    const { $schema: _, ...own } = toSchema((await loadAdapter(name)).config)
    networks[name] = { anyOf: [{ const: 'sandbox' }, own] }
  }
  schema.properties = {
    ...schema.properties,
    networks: {
      type: 'object',
      description: schema.properties?.networks?.description ?? '',
      properties: networks,
      additionalProperties: false,
    },
  }
  return JSON.stringify(schema, null, 2)
}

/** `docs/reference/config.md` */
export async function renderConfigReference(): Promise<string> {
  const lines = [
    '# Configuration',
    '',
    'Generated from the schemas by `npm run generate`. The file is YAML: `causeway.yaml`, or what `--config` or `CAUSEWAY_CONFIG` names. Unknown keys are refused. Check it with `npm run causeway -- config check`. Editors: `config/schema.json`.',
    '',
    '## Environment',
    '',
    'Stronger than the file. Each variable also exists with `_FILE` behind its name, naming a file that holds the value.',
    '',
    '| variable | key |',
    '|---|---|',
    ...environmentKeys.map(({ name, path }) => `| \`${name}\` | \`${path.join('.')}\` |`),
    '| `CAUSEWAY_CHAIN_<id>_RPC_URL` | `identity.chains.<id>.rpcUrl` (secret) |',
  ]
  const definitions = await Promise.all(networkNames.map(loadAdapter))
  for (const { manifest } of definitions) {
    for (const variable of manifest.environment) {
      lines.push(
        `| \`${variable.name}\` | \`networks.${manifest.network}.${variable.path}\`${variable.secret ? ' (secret)' : ''} |`,
      )
    }
  }
  const { networks, ...rest } = toSchema(configSchema).properties ?? {}
  for (const [name, schema] of Object.entries(rest))
    lines.push('', `## ${name}`, '', ...describe(schema, `${name}.`))
  lines.push('', '## networks', '', networks?.description ?? '')
  for (const { manifest, config } of definitions) {
    lines.push('', `### networks.${manifest.network}`, '', `${manifest.title}.`, '')
    const schema = toSchema(config)
    for (const variant of schema.anyOf ?? schema.oneOf ?? [schema]) lines.push(...describe(variant, ''), '')
  }
  return lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')
}

function describe(schema: JsonSchema, prefix: string): string[] {
  const lines = schema.description ? [schema.description, ''] : []
  lines.push('| key | takes | default | |', '|---|---|---|---|', ...rows(schema, prefix, false))
  return lines
}

function rows(schema: JsonSchema, prefix: string, optional: boolean): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, value]) => {
    const isOptional = optional || !schema.required?.includes(key)
    if (value.properties) return rows(value, `${prefix}${key}.`, isOptional)
    const own = row(`${prefix}${key}`, value, isOptional)
    const entry = value.additionalProperties as JsonSchema | undefined
    return entry?.properties ? [own, ...rows(entry, `${prefix}${key}.<id>.`, false)] : [own]
  })
}

function row(name: string, schema: JsonSchema, optional: boolean): string {
  const without = optional ? '' : 'required'
  const fallback = schema.default === undefined ? without : `\`${JSON.stringify(schema.default)}\``
  const description = (schema.description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ')
  return `| \`${name}\` | ${takes(schema)} | ${fallback} | ${description} |`
}

function takes(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.enum) return schema.enum.map((value) => `\`${JSON.stringify(value)}\``).join(', ')
  const variants = schema.anyOf ?? schema.oneOf
  if (variants) return variants.map(takes).join(' or ')
  if (schema.type === 'array') return `list of ${takes((schema.items as JsonSchema | undefined) ?? {})}`
  return schema.type ?? 'any'
}
