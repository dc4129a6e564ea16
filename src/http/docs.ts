/** The documentation pages, served from the package itself: no other host is asked for anything. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { App, AppContext } from './context.ts'
import { openApiText } from './openapi.ts'
import { listProblems } from './problems.ts'

const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const INDEX = page(
  'Causeway API',
  `<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
<script src="/docs/swagger-ui-bundle.js" defer></script>
<script src="/docs/start.js" defer></script>`,
  '<div id="swagger-ui"><p>The reference needs JavaScript. The same as JSON: <a href="/openapi.json">/openapi.json</a>; errors: <a href="/docs/errors">/docs/errors</a>.</p></div>',
)

/** `validatorUrl: null`: nothing is sent to an outside validator. */
const START = `window.addEventListener('DOMContentLoaded', () => {
  window.SwaggerUIBundle({
    url: '/openapi.json',
    dom_id: '#swagger-ui',
    deepLinking: true,
    validatorUrl: null,
    persistAuthorization: false,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
  })
})
`

const STYLE = `body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
h2 { font: 600 1.05rem ui-monospace, monospace; margin-bottom: 0; }
section:target { background: #fff3bf; }
@media (prefers-color-scheme: dark) { body { background: #16181d; color: #e6e6e6; } section:target { background: #4a3f00; } }
`

/** Files of `swagger-ui-dist` that the page needs, with their media types. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

export function registerDocs(app: App, version: string): void {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  const loaded = new Map<string, Promise<Buffer>>()

  app.get('/openapi.json', (context) => {
    return context.body(openApiText(version), 200, { 'Content-Type': 'application/json; charset=utf-8' })
  })
  app.get('/docs', (context) => html(context, INDEX))
  app.get('/docs/', (context) => html(context, INDEX))
  app.get('/docs/errors', (context) => html(context, errorsPage()))
  app.get('/docs/start.js', (context) =>
    context.body(START, 200, { 'Content-Type': 'text/javascript; charset=utf-8' }),
  )
  app.get('/docs/style.css', (context) =>
    context.body(STYLE, 200, { 'Content-Type': 'text/css; charset=utf-8' }),
  )
  // Each by its own path: a parameter beside fixed names would take the whole API from the router that needs one look-up for a
  // path to the one that tries them in order.
  for (const [name, type] of Object.entries(ASSETS)) {
    app.get(`/docs/${name}`, async (context) => {
      const bytes = loaded.get(name) ?? readFile(join(folder, name))
      loaded.set(name, bytes)
      return context.body(new Uint8Array(await bytes), 200, {
        'Content-Type': type,
        'Cache-Control': 'public, max-age=3600',
      })
    })
  }
}

function html(context: AppContext, text: string): Response {
  return context.html(text, 200, { 'Content-Security-Policy': PAGE_POLICY })
}

function page(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
${head}
</head>
<body>
${body}
</body>
</html>
`
}

/** Where the `type` of every problem points. */
function errorsPage(): string {
  const sections = listProblems().map(
    ({ code, entry }) =>
      `<section id="${code}"><h2>${code}</h2><p><strong>${entry.status}</strong> ${escapeHtml(entry.title)}.<br>${escapeHtml(entry.fix)}</p></section>`,
  )
  return page(
    'Causeway errors',
    '<link rel="stylesheet" href="/docs/style.css">',
    `<h1>Errors</h1>\n<p>The codes of all problems that the API answers with. <a href="/docs">API reference</a></p>\n${sections.join('\n')}`,
  )
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
