/** The HTTP API for tests: a real server over the real relay, store and identity, and wallets that call it. */
import { type AdapterDefinition, systemClock } from '../../adapter/index.ts'
import { toBase64url } from '../../envelope/index.ts'
import { createLog } from '../../observability/log.ts'
import { createMetrics } from '../../observability/metrics.ts'
import type { Vault } from '../../relay/parts.ts'
import { createPerson, type Person, RelayBench, type TestGateway } from '../../relay/testing/bench.ts'
import { createHttpApi, type HttpApi } from '../app.ts'
import type { HttpParts } from '../context.ts'
import type { HttpServer } from '../server.ts'
import { defaultHttpSettings, type HttpLimits, type HttpSettings, type StreamSettings } from '../settings.ts'

export { createPerson, nativeFrame, type Person, seal } from '../../relay/testing/bench.ts'

export interface HttpBenchOptions {
  limits?: Partial<HttpLimits>
  streams?: Partial<StreamSettings>
  settings?: Partial<Omit<HttpSettings, 'limits' | 'streams'>>
  /** Networks beside a simulated one named `waku`. */
  networks?: Record<string, AdapterDefinition>
  /** Replaces parts, for failures that real parts do not have on demand. */
  replace?: (parts: HttpParts) => Partial<HttpParts>
  /** Database file; in memory when absent. */
  path?: string
  /** Keeps registrations for opaque mirroring. */
  vault?: Vault
}

export interface HttpGateway {
  gateway: TestGateway
  api: HttpApi
  server: HttpServer
  url: string
  /** Finished log lines. */
  lines: string[]
  /** Signs a wallet in over HTTP. */
  signIn(person?: Person): Promise<SignedIn>
  stop(): Promise<void>
}

export interface SignedIn {
  person: Person
  wallet: string
  token: string
  /** A call with the token. Objects become JSON, bytes CBOR. */
  call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
}

export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init: RequestInit = { method, headers: { ...headers } }
  if (body instanceof Uint8Array) {
    init.body = body as BodyInit
    init.headers = { 'content-type': 'application/cbor', ...headers }
  } else if (body !== undefined) {
    init.body = JSON.stringify(body)
    init.headers = { 'content-type': 'application/json', ...headers }
  }
  const response = await fetch(url + path, init)
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}

export class HttpBench {
  #relays = new RelayBench()
  #gateways = new Set<HttpGateway>()

  async gateway(options: HttpBenchOptions = {}): Promise<HttpGateway> {
    const gateway = await this.#relays.gateway({
      name: 'gateway-a',
      networks: { waku: this.#relays.network(), ...options.networks },
      wallets: [],
      ...(options.path ? { path: options.path } : {}),
      ...(options.vault ? { parts: { vault: options.vault } } : {}),
    })
    const lines: string[] = []
    const parts: HttpParts = {
      gateway: {
        id: 'gateway-a',
        version: '1.2.3',
        publicKey: new Uint8Array(32).fill(7),
        encryptionKey: null,
        sandbox: true,
        domain: 'gateway.example',
      },
      identity: gateway.identity,
      relay: gateway.relay,
      enrolments: null,
      networks: gateway.networks,
      store: gateway.store,
      live: gateway.live,
      seen: () => {},
      metrics: createMetrics(),
      log: createLog({ level: 'debug', destination: { write: (line) => lines.push(line) } }),
      clock: systemClock,
      settings: {
        ...defaultHttpSettings,
        ...options.settings,
        limits: { ...defaultHttpSettings.limits, ...options.limits },
        streams: { ...defaultHttpSettings.streams, ...options.streams },
      },
    }
    const api = createHttpApi({ ...parts, ...options.replace?.(parts) })
    const server = await api.serve({ host: '127.0.0.1', port: 0 })
    const made: HttpGateway = {
      gateway,
      api,
      server,
      url: server.url,
      lines,
      signIn: (person = createPerson()) => signIn(server.url, person),
      stop: async () => {
        this.#gateways.delete(made)
        await server.close(AbortSignal.timeout(500))
        await gateway.stop()
      },
    }
    this.#gateways.add(made)
    return made
  }

  folder(): Promise<string> {
    return this.#relays.folder()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#gateways].map((gateway) => gateway.stop()))
    await this.#relays.close()
  }
}

export async function signIn(
  url: string,
  person: Person,
  action: 'add' | 'revoke' = 'add',
): Promise<SignedIn> {
  const challenge = await call(url, 'POST', '/v1/auth/challenge', {
    wallet: `eip155:1:${person.signer.address}`,
    device: { publicKey: toBase64url(person.device.publicKey), label: person.device.label },
    action,
  })
  if (challenge.status !== 200)
    throw new Error(`challenge: ${challenge.status} ${JSON.stringify(challenge.body)}`)
  const signature = await person.signer.signMessage(challenge.body.message)
  const verified = await call(url, 'POST', '/v1/auth/verify', {
    challengeId: challenge.body.challengeId,
    signature,
  })
  if (verified.status !== 200) throw new Error(`verify: ${verified.status} ${JSON.stringify(verified.body)}`)
  const { token } = verified.body as { token: string }
  person.certificate = new Uint8Array(Buffer.from(verified.body.certificate, 'base64url'))
  return {
    person,
    wallet: person.wallet,
    token,
    call: (method, path, body, headers = {}) =>
      call(url, method, path, body, { authorization: `Bearer ${token}`, ...headers }),
  }
}

/** Waits until `check` holds. */
export async function until(
  check: () => boolean | Promise<boolean>,
  what: string,
  ms = 10_000,
): Promise<void> {
  const end = performance.now() + ms
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
