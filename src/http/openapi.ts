/** The OpenAPI 3.1 document, from the route definitions alone. */
import { OpenAPIHono } from '@hono/zod-openapi'
import type { App, AppEnv } from './context.ts'
import { registerRoutes } from './routes/index.ts'

const TAGS = [
  {
    name: 'Sign in',
    description: 'A wallet certifies a device key by one signature; the device then has a session.',
  },
  { name: 'Gateway', description: 'The gateway and its networks.' },
  { name: 'Wallets', description: 'Endpoints, keys and routes.' },
  { name: 'Messages', description: 'Envelopes in, and where they went.' },
  { name: 'Inbox', description: 'One inbox per wallet, paged and live.' },
  {
    name: 'Hop mode',
    description: 'The gateway as one of a wallet’s own clients on a network: opt-in, signed, revocable.',
  },
  {
    name: 'Mirroring',
    description: 'A network’s own ciphertext, carried byte for byte to the wallet’s fast transport.',
  },
  { name: 'Operations', description: 'For operators and networks.' },
]

const texts = new Map<string, string>()

/** The document as it is served, made once for each version. */
export function openApiText(version: string): string {
  const text = texts.get(version) ?? documentText(version)
  texts.set(version, text)
  return text
}

/** `docs/reference/openapi.json`. The committed document leaves the version at `0`, so that a release does not change it. */
export function renderOpenApi(): string {
  return openApiText('0')
}

function documentText(version: string): string {
  const app: App = new OpenAPIHono<AppEnv>()
  registerRoutes(app)
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Causeway',
      version,
      description:
        'A self-hosted gateway that carries wallet-to-wallet messages between messaging networks. Envelopes and conversations are named by 64 lower-case hex characters; other bytes are base64url without padding; times are Unix milliseconds. Every error is a problem (RFC 9457) with a stable `code`; see /docs/errors.',
      license: { name: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: TAGS,
  })
  return `${JSON.stringify(document, null, 2)}\n`
}
