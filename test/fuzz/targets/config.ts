/** The configuration: a file that an operator, or a tool of theirs, wrote wrongly. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, type LoadedConfig, loadConfig } from '../../../src/config/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'

const typed = codeOfClass(ConfigError)

const VALUES: readonly Record<string, unknown>[] = [
  {},
  {
    server: {
      host: '0.0.0.0',
      port: 8787,
      publicUrl: 'https://gateway.example',
      trustProxy: true,
      corsOrigins: ['*'],
    },
    identity: { domain: 'gateway.example', trustedDomains: ['other.example'], sessionHours: 24 },
    data: { directory: 'data', retentionDays: 7 },
    route: { policy: 'fallback', order: ['trtc', 'waku'], fallbackAfterMs: 1000 },
    limits: { walletPerSecond: 10 },
    admin: { token: 'a-token-of-sixteen' },
    log: { level: 'warn' },
    networks: {
      trtc: {
        sdkAppId: 1400000000,
        secretKey: 'sixteen-characters',
        webhookToken: 'token-of-webhooks',
        webhookSecret: 'a-secret-of-the-path',
      },
      waku: { driver: 'embedded', clusterId: 42, listen: ['/ip4/127.0.0.1/tcp/0'], peers: [] },
    },
  },
  {
    networks: {
      waku: { driver: 'nwaku-rest', url: 'http://127.0.0.1:8645', clusterId: 42 },
      trtc: 'sandbox',
    },
  },
]

const YAML = `# A gateway
server:
  host: 127.0.0.1
  port: 8787
  corsOrigins: [https://a.example, "https://b.example"]
identity: &identity
  domain: gateway.example
data: {directory: data, retentionDays: 30}
route:
  policy: mirror
  order:
    - trtc
    - waku
log:
  level: info
networks:
  trtc: sandbox
  waku: sandbox
`

/** A thousand million nodes out of a few lines. */
const BOMB = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...'bcdefghi'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefgh'[index]},`.repeat(9)}]`),
].join('\n')

/** Names that the loader knows, and nothing of the prototype. */
function wrongIn({ config, networks }: LoadedConfig): string | null {
  if (Object.getPrototypeOf(config) !== Object.prototype) return 'the configuration has a foreign prototype'
  return networks.every(({ name }) => Object.hasOwn(config.networks, name))
    ? null
    : 'a network was loaded that nobody named'
}

export const configTargets = [
  defineTarget<string>({
    name: 'config-values',
    format: 'json-container',
    inputs: 100_000,
    testInputs: 3_000,
    async open() {
      return {
        seeds: VALUES.map((values) => JSON.stringify(values)),
        run(input) {
          const values: unknown = JSON.parse(input)
          return loadConfig({
            values: typeof values === 'object' && values !== null ? (values as Record<string, unknown>) : {},
          })
        },
        typed,
        forged: (_input, loaded) => wrongIn(loaded as LoadedConfig),
      }
    },
  }),
  defineTarget<string>({
    name: 'config-file',
    format: 'text',
    inputs: 50_000,
    testInputs: 1_500,
    async open() {
      const folder = mkdtempSync(join(tmpdir(), 'causeway-fuzz-'))
      const file = join(folder, 'causeway.yaml')
      return {
        seeds: [YAML, JSON.stringify(VALUES[2]), '# nothing\n'],
        hostile: [
          BOMB,
          '[1, 2]',
          'text',
          '\0',
          `a: ${'['.repeat(300)}`,
          '{'.repeat(300),
          '<<: {__proto__: {polluted: 1}}',
        ],
        run(input) {
          writeFileSync(file, input)
          return loadConfig({ file })
        },
        typed,
        forged: (_input, loaded) => wrongIn(loaded as LoadedConfig),
        close: async () => rmSync(folder, { recursive: true, force: true }),
      }
    },
  }),
]
