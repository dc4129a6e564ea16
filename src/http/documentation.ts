/** Parts of route definitions that recur. */
import type { z } from '@hono/zod-openapi'
import { listProblems, type ProblemCode, problems } from './problems.ts'
import { problemSchema } from './schemas.ts'

/** `security` of routes that need a session. */
export const needsSession = [{ session: [] }]
/** `security` of operators' routes. */
export const needsAdmin = [{ admin: [] }]

/** What any route may answer. */
const EVERYWHERE: readonly ProblemCode[] = ['rate-limited', 'internal-error']
/** What a route with a session may answer besides. */
export const SESSION: readonly ProblemCode[] = ['unauthenticated', 'session-invalid']
/** What a route with a JSON body may answer besides. */
export const JSON_BODY: readonly ProblemCode[] = [
  'request-invalid',
  'body-not-json',
  'body-too-large',
  'body-timeout',
  'body-incomplete',
  'media-type-unsupported',
]
/** What any route may answer that reads or writes the store. */
export const STORE: readonly ProblemCode[] = ['store-failed', 'store-full', 'store-read-only', 'store-closed']

/** Codes of the registry that begin with one of `prefixes`. */
export function codesOf(...prefixes: string[]): ProblemCode[] {
  return listProblems()
    .map(({ code }) => code)
    .filter((code) => prefixes.some((prefix) => code.startsWith(prefix)))
}

/** `responses` for the codes, grouped by status. `rate-limited` and `internal-error` are always among them. */
export function refusals(...codes: ProblemCode[]) {
  const byStatus: Record<
    string,
    { description: string; content: { 'application/problem+json': ProblemContent } }
  > = {}
  for (const code of [...new Set([...codes, ...EVERYWHERE])].sort()) {
    const { status, title } = problems[code]
    const line = `\`${code}\`: ${title}.`
    const known = byStatus[status]
    if (known) {
      known.description += `\n\n${line}`
      known.content['application/problem+json'].examples[code] = example(code)
    } else {
      const content: ProblemContent = { schema: problemSchema, examples: { [code]: example(code) } }
      byStatus[status] = { description: line, content: { 'application/problem+json': content } }
    }
  }
  return byStatus as Record<never, never>
}

interface ProblemContent {
  schema: typeof problemSchema
  examples: Record<string, { value: unknown }>
}

function example(code: ProblemCode): { value: unknown } {
  const { status, title, fix } = problems[code]
  const requestId = '0c1f6d2e-5d3e-4a53-9d0a-5f7f0e9b8a11'
  const instance = `urn:causeway:request:${requestId}`
  return { value: { type: `/docs/errors#${code}`, title, status, instance, code, requestId, fix } }
}

export function jsonContent<Schema extends z.ZodType>(schema: Schema) {
  return { 'application/json': { schema } }
}

export function jsonRequest<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: jsonContent(schema) }
}
