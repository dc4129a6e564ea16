/** Reads the configuration: file, then environment, then the schemas of the gateway and of each network. */
import { readFile } from 'node:fs/promises'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import type { AdapterDefinition, EnvironmentVariable } from '../adapter/index.ts'
import { loadAdapter, networkNames, sandboxNames } from '../adapter/registry.ts'
import { CHAIN_VARIABLE, type Config, configSchema, environmentKeys } from './schema.ts'

export type ConfigErrorCode =
  | 'config-unreadable'
  | 'config-invalid'
  | 'config-network-unknown'
  | 'config-no-sandbox'

/** What is wrong with the configuration, in words for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code: ConfigErrorCode
  constructor(code: ConfigErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export interface ConfiguredNetwork {
  name: string
  definition: AdapterDefinition
  /** Checked by the adapter's schema, or `sandbox`: to be taken from the stand-in once it runs. */
  config: unknown | 'sandbox'
}

export interface LoadedConfig {
  config: Config
  networks: ConfiguredNetwork[]
  /** File that was read, or null when there was none. */
  file: string | null
}

export interface LoadOptions {
  /** Path of a YAML file. It must exist. */
  file?: string
  /** Read instead of a file, e.g. in tests: the same shape as the file. */
  values?: Record<string, unknown>
  environment?: Record<string, string | undefined>
}

/** File that is read when none is named and it exists. */
export const DEFAULT_FILE = 'causeway.yaml'

/**
 * Loads and checks everything, SDKs of the enabled networks included. Rejects with `ConfigError`.
 *
 * @example const { config, networks } = await loadConfig({ environment: process.env })
 */
export async function loadConfig(options: LoadOptions = {}): Promise<LoadedConfig> {
  const environment = options.environment ?? {}
  const { values, file } = await readValues(options, environment)
  await applyEnvironment(values, environment)

  const parsed = configSchema.safeParse(values)
  if (!parsed.success) throw invalid(file, parsed.error)
  const config = parsed.data
  if (Object.keys(config.networks).length === 0) {
    config.networks = Object.fromEntries(sandboxNames.map((name) => [name, 'sandbox' as const]))
  }

  const networks: ConfiguredNetwork[] = []
  for (const [name, value] of Object.entries(config.networks)) {
    if (!networkNames.includes(name)) {
      throw new ConfigError(
        'config-network-unknown',
        `networks.${name}: no such network; known: ${networkNames.join(', ')}`,
      )
    }
    const definition = await loadAdapter(name)
    if (value === 'sandbox') {
      if (!sandboxNames.includes(name)) {
        throw new ConfigError(
          'config-no-sandbox',
          `networks.${name}: there is no sandbox for it; there is one for: ${sandboxNames.join(', ')}`,
        )
      }
      networks.push({ name, definition, config: 'sandbox' })
      continue
    }
    const settings = structuredClone(value)
    await applyAdapterEnvironment(settings, definition, environment)
    networks.push({ name, definition, config: parseNetworkConfig(definition, settings, file) })
  }
  return { config, networks, file }
}

/** Checks the input of a network's own schema. Throws `ConfigError`. */
export function parseNetworkConfig(
  definition: AdapterDefinition,
  values: unknown,
  file: string | null,
): unknown {
  const parsed = definition.config.safeParse(values)
  if (parsed.success) return parsed.data
  const { network, environment } = definition.manifest
  throw invalid(
    file,
    parsed.error,
    `networks.${network}`,
    missingVariables(parsed.error, environment, values),
  )
}

/** Which variables would give what is missing: secrets are set that way, not in the file. */
function missingVariables(
  error: z.ZodError,
  environment: readonly EnvironmentVariable[],
  values: unknown,
): string[] {
  return environment
    .filter(({ path }) => error.issues.some((issue) => issue.path.join('.') === path))
    .filter(({ path }) => getPath(values, path.split('.')) === undefined)
    .map(({ name, path }) => `→ ${path} is missing: set ${name}, or ${name}_FILE to a file that holds it`)
}

async function readValues(
  options: LoadOptions,
  environment: Record<string, string | undefined>,
): Promise<{ values: Record<string, unknown>; file: string | null }> {
  if (options.values) return { values: structuredClone(options.values), file: null }
  const named = options.file ?? environment.CAUSEWAY_CONFIG
  const file = named ?? DEFAULT_FILE
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (!named && (error as NodeJS.ErrnoException).code === 'ENOENT') return { values: {}, file: null }
    throw new ConfigError('config-unreadable', `${file}: cannot be read (${(error as Error).message})`, {
      cause: error,
    })
  }
  try {
    const values: unknown = parseYaml(text) ?? {}
    if (typeof values !== 'object' || Array.isArray(values))
      throw new TypeError('the file must hold a mapping of keys')
    return { values: values as Record<string, unknown>, file }
  } catch (error) {
    throw new ConfigError('config-unreadable', `${file}: ${(error as Error).message}`, { cause: error })
  }
}

/** Value of a variable, or of the file that `<NAME>_FILE` names (container secrets). */
async function readVariable(
  name: string,
  environment: Record<string, string | undefined>,
): Promise<string | undefined> {
  const value = environment[name]
  if (value !== undefined && value !== '') return value
  const file = environment[`${name}_FILE`]
  if (!file) return undefined
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new ConfigError('config-unreadable', `${name}_FILE: the file cannot be read`, { cause: error })
  }
}

async function applyEnvironment(
  values: Record<string, unknown>,
  environment: Record<string, string | undefined>,
): Promise<void> {
  for (const key of environmentKeys) {
    const value = await readVariable(key.name, environment)
    if (value !== undefined) setPath(values, key.path, key.number ? Number(value) : value)
  }
  for (const name of Object.keys(environment)) {
    const id = CHAIN_VARIABLE.exec(name)?.[1]
    const value = id === undefined ? undefined : await readVariable(name.replace(/_FILE$/, ''), environment)
    if (id !== undefined && value !== undefined) setPath(values, ['identity', 'chains', id, 'rpcUrl'], value)
  }
}

async function applyAdapterEnvironment(
  settings: Record<string, unknown>,
  definition: AdapterDefinition,
  environment: Record<string, string | undefined>,
): Promise<void> {
  for (const variable of definition.manifest.environment) {
    const value = await readVariable(variable.name, environment)
    if (value === undefined) continue
    const numeric = /^\d{1,15}$/.test(value) && !variable.secret
    setPath(settings, variable.path.split('.'), numeric ? Number(value) : value)
  }
}

function setPath(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path
  if (head === undefined) return
  if (rest.length === 0) {
    target[head] = value
    return
  }
  const next = target[head]
  const child = typeof next === 'object' && next !== null ? (next as Record<string, unknown>) : {}
  target[head] = child
  setPath(child, rest, value)
}

function getPath(source: unknown, path: readonly string[]): unknown {
  let value = source
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** `z.prettifyError` names each key and what it takes; it never repeats a secret's value. */
function invalid(
  file: string | null,
  error: z.ZodError,
  prefix?: string,
  hints: readonly string[] = [],
): ConfigError {
  const where = [file ?? 'configuration', prefix].filter(Boolean).join(', ')
  return new ConfigError('config-invalid', [`${where}:`, z.prettifyError(error), ...hints].join('\n'))
}
