import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listProblems } from './problems.ts'
import { HttpBench, type HttpGateway } from './testing/bench.ts'

const bench = new HttpBench()
let gateway: HttpGateway
beforeAll(async () => {
  gateway = await bench.gateway()
})
afterAll(() => bench.close())

/** Everything that a page loads. */
function resources(html: string): string[] {
  return [...html.matchAll(/<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"/g)].map((match) => match[1]!)
}

describe('the documentation pages', () => {
  for (const path of ['/docs', '/docs/', '/docs/errors']) {
    it(`${path} works without any other host`, async () => {
      const page = await fetch(gateway.url + path)
      expect(page.status).toBe(200)
      expect(page.headers.get('content-type')).toContain('text/html')
      const policy = page.headers.get('content-security-policy')!
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).not.toMatch(/unsafe|https?:|\*/)
      const html = await page.text()
      expect(html).not.toMatch(/<script(?![^>]+src=)/)
      expect(html).not.toMatch(/ (?:style|on[a-z]+)="/)
      expect(html).not.toMatch(/https?:\/\//)
      for (const resource of resources(html)) {
        expect(resource).toMatch(/^\/docs\//)
        const answer = await fetch(gateway.url + resource)
        expect([resource, answer.status]).toEqual([resource, 200])
        expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
        expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100)
      }
    })
  }

  it('start with the local document and without an outside validator', async () => {
    const script = await (await fetch(`${gateway.url}/docs/start.js`)).text()
    expect(script).toContain("url: '/openapi.json'")
    expect(script).toContain('validatorUrl: null')
    const document = await fetch(`${gateway.url}/openapi.json`)
    expect(await document.json()).toMatchObject({
      openapi: '3.1.0',
      info: { title: 'Causeway', version: '1.2.3' },
    })
  })

  it('explain every problem at the place where its type points', async () => {
    const html = await (await fetch(`${gateway.url}/docs/errors`)).text()
    for (const { code } of listProblems()) expect(html).toContain(`<section id="${code}">`)
  })

  it('describe every route of the app, and none that it does not have', async () => {
    const document = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as {
      paths: Record<string, object>
    }
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    const served = gateway.api.app.routes
      .filter(({ path, method }) => method !== 'ALL' && !/^\/(docs|openapi\.json)/.test(path))
      .map(({ path, method }) => `${method} ${path.replaceAll(/:([A-Za-z]+)/g, '{$1}')}`)
    expect([...new Set(served)].sort()).toEqual(described.sort())
  })

  it('serve no other file', async () => {
    for (const name of [
      'package.json',
      'swagger-ui.js',
      '..%2fpackage.json',
      '%2e%2e',
      '__proto__',
      'constructor',
    ]) {
      expect([name, (await fetch(`${gateway.url}/docs/${name}`)).status]).toEqual([name, 404])
    }
  })
})
