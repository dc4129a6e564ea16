import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import {
  listProblems,
  renderErrorsReference,
  renderMetricsReference,
  renderOpenApi,
} from '../../src/http/index.ts'

interface Parameter {
  name: string
  in: string
  required?: boolean
}

interface Operation {
  operationId: string
  summary?: string
  tags?: string[]
  security?: Record<string, string[]>[]
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, unknown> }
  responses: Record<
    string,
    { description: string; content?: Record<string, { examples?: Record<string, unknown> }> }
  >
}

interface Document {
  openapi: string
  info: { title: string; version: string }
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> }
}

const document = JSON.parse(renderOpenApi()) as Document
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    path,
    method,
    operation,
    name: `${method.toUpperCase()} ${path}`,
  })),
)

function allRefs(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => (key === '$ref' ? [String(inner)] : allRefs(inner)))
}

function resolve(reference: string): unknown {
  return reference
    .replace(/^#\//, '')
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document)
}

describe('generated references are fresh (npm run generate)', () => {
  it.each([
    ['openapi.json', renderOpenApi],
    ['errors.md', renderErrorsReference],
    ['metrics.md', renderMetricsReference],
  ])('docs/reference/%s', async (file, render) => {
    const committed = await readFile(new URL(`../../docs/reference/${file}`, import.meta.url), 'utf8')
    expect(committed.trimEnd()).toBe(render().trimEnd())
  })
})

describe('the OpenAPI document', () => {
  it('is version 3.1 and has what every document needs', () => {
    expect(document.openapi).toBe('3.1.0')
    expect(document.info).toMatchObject({ title: 'Causeway', version: expect.any(String) })
  })

  it('covers the routes of the design', () => {
    const names = operations.map(({ name }) => name)
    for (const expected of [
      'POST /v1/auth/challenge',
      'POST /v1/auth/verify',
      'DELETE /v1/auth/session',
      'GET /v1/gateway',
      'GET /v1/networks',
      'GET /v1/wallets/{wallet}',
      'GET /v1/wallets/{wallet}/keys',
      'PUT /v1/wallets/{wallet}/endpoints/{network}',
      'PUT /v1/wallets/{wallet}/route',
      'POST /v1/prekeys',
      'POST /v1/envelopes',
      'POST /v1/envelopes/batch',
      'GET /v1/envelopes/{id}',
      'GET /v1/envelopes/{id}/journey',
      'GET /v1/inbox',
      'GET /v1/conversations',
      'GET /v1/stream',
      'GET /v1/socket',
      'POST /v1/receipts',
      'POST /v1/networks/{network}/credentials',
      'POST /hooks/{network}/{secret}',
      'GET /healthz',
      'GET /readyz',
      'GET /metrics',
      'GET /v1/admin/deliveries',
      'POST /v1/admin/deliveries/{id}/replay',
      'POST /v1/admin/networks/{network}/restart',
    ]) {
      expect(names).toContain(expected)
    }
  })

  it('names every operation once, with summary and a declared tag', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    const tags = new Set(document.tags.map(({ name }) => name))
    for (const { name, operation } of operations) {
      expect(operation.operationId, name).toMatch(/^[a-z][A-Za-z]+$/)
      expect(operation.summary, name).toBeTruthy()
      expect(
        operation.tags?.every((tag) => tags.has(tag)),
        name,
      ).toBe(true)
    }
  })

  it('declares every parameter of a path, as required', () => {
    for (const { path, name, operation } of operations) {
      const inPath = [...path.matchAll(/\{(.+?)\}/g)].map((match) => match[1])
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
      expect(declared.map((parameter) => parameter.name).sort(), name).toEqual(inPath.sort())
      expect(
        declared.every(({ required }) => required === true),
        name,
      ).toBe(true)
    }
  })

  it('resolves every reference, and knows every security scheme', () => {
    for (const reference of new Set(allRefs(document))) {
      expect(reference).toMatch(/^#\//)
      expect(resolve(reference), reference).toBeDefined()
    }
    for (const { operation } of operations) {
      for (const scheme of (operation.security ?? []).flatMap((choice) => Object.keys(choice))) {
        expect(document.components.securitySchemes).toHaveProperty(scheme)
      }
    }
  })

  it('documents the problems of every operation, from the one registry', () => {
    const known = new Map(listProblems().map(({ code, entry }) => [code as string, entry]))
    for (const { path, name, operation } of operations) {
      expect(
        Object.keys(operation.responses).some((status) => /^[123]/.test(status)),
        name,
      ).toBe(true)
      for (const [status, response] of Object.entries(operation.responses)) {
        expect(response.description, name).toBeTruthy()
        const problem = response.content?.['application/problem+json']
        if (Number(status) < 400 || path === '/readyz') continue
        expect(problem, `${name} ${status}`).toBeDefined()
        for (const code of Object.keys(problem?.examples ?? {})) {
          expect(known.get(code)?.status, `${name} ${code}`).toBe(Number(status))
        }
      }
      if (['/healthz', '/readyz', '/metrics'].includes(path)) continue
      expect(operation.responses, name).toHaveProperty('429')
      expect(operation.responses, name).toHaveProperty('500')
      if (operation.security?.some((choice) => 'session' in choice))
        expect(operation.responses, name).toHaveProperty('401')
      if (operation.requestBody) expect(operation.requestBody.required, name).toBe(true)
    }
  })
})

describe('the registry of problems', () => {
  it('has stable kebab-case codes, an error status, a title without a full stop and a fix with one', () => {
    for (const { code, entry } of listProblems()) {
      expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)+$|^unauthenticated$/)
      expect(entry.status).toBeGreaterThanOrEqual(400)
      expect(entry.title, code).toMatch(/[^.]$/)
      expect(entry.fix, code).toMatch(/\.$/)
    }
  })
})
