/**
 * The configuration file, key by key. Descriptions and defaults here are the source of `docs/reference/config.md` and
 * `config/schema.json`. The keys under `networks.<network>` belong to each adapter's own schema.
 */
import { z } from 'zod'
import { parseMasterKey } from '../custody.ts'
import { LIMITS } from '../envelope/index.ts'
import { requireDomain } from '../identity/index.ts'

const milliseconds = (fallback: number, description: string, minimum = 0) =>
  z.int().min(minimum).max(2_147_483_647).default(fallback).describe(`${description} Milliseconds.`)

const positive = (fallback: number, description: string, maximum = 2_147_483_647) =>
  z.int().min(1).max(maximum).default(fallback).describe(description)

/** A host with an optional port, as it stands in the text that wallets sign. */
const domain = z.string().superRefine((text, context) => {
  try {
    requireDomain(text)
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message })
  }
})

const chainId = z.string().regex(/^[1-9][0-9]{0,15}$/, 'must be an EVM chain id in decimal')

const chain = z.strictObject({
  rpcUrl: z
    .string()
    .refine(isRpcUrl, 'must be an http or https URL without user and password')
    .describe(
      'JSON-RPC of a node that you trust: what it says of a signature decides. Often holds a key: a secret.',
    ),
  timeoutMs: milliseconds(5_000, 'How long one call may take.', 100),
  maxInFlight: positive(
    8,
    'Calls under way at once for those who sign in; eight times as many may wait. As many again for certificates that strangers send.',
    1_000,
  ),
})

function isRpcUrl(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}

const masterKey = z
  .string()
  .refine((text) => parseMasterKey(text) !== null, 'must be 32 bytes as hexadecimal or base64url')

export const routeSchema = z.strictObject({
  policy: z
    .enum(['mirror', 'fallback'])
    .default('mirror')
    .describe(
      '`mirror` sends a copy to every endpoint of the recipient; `fallback` goes on to the next only when one fails.',
    ),
  order: z
    .union([z.array(z.string()).min(1), z.literal('ranked')])
    .default(['trtc', 'waku', 'xmtp', 'push'])
    .describe('Networks in order of preference, or `ranked`: by measured latency and stability.'),
  fallbackAfterMs: milliseconds(5_000, 'With `fallback`: how long to wait for an acknowledgement.'),
})

export const configSchema = z.strictObject({
  server: z
    .strictObject({
      host: z
        .string()
        .default('127.0.0.1')
        .describe('Address to listen on. `0.0.0.0` opens the gateway to the network: put TLS in front.'),
      port: z.int().min(0).max(65_535).default(8787).describe('Port to listen on; 0 takes any free one.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe(
          'Address under which clients and webhooks reach the gateway. Default: built from host and port.',
        ),
      trustProxy: z
        .boolean()
        .default(false)
        .describe(
          'Take the client address from `X-Forwarded-For`. Only behind a proxy that sets it; anyone can forge it otherwise.',
        ),
      corsOrigins: z
        .array(z.string())
        .default([])
        .describe('Web origins that may call the API from a browser; `*` for any.'),
      shutdownMs: milliseconds(10_000, 'How long work in flight is waited for at shutdown.'),
    })
    .prefault({}),
  identity: z
    .strictObject({
      domain: domain
        .optional()
        .describe(
          'Domain that wallets see in the text they sign (EIP-4361). Default: host of `server.publicUrl`.',
        ),
      trustedDomains: z
        .array(domain)
        .default([])
        .describe(
          'Domains of other gateways whose device certificates are accepted. This gateway’s own is always among them.',
        ),
      sessionHours: positive(168, 'How long a bearer token is valid. Hours.'),
      challengeMinutes: positive(5, 'How long a text waits for its signature. Minutes.'),
      chains: z
        .record(chainId, chain)
        .default({})
        .describe(
          'Nodes that are asked about the signatures of smart accounts (ERC-1271, ERC-6492), by EVM chain id. Smart accounts of other chains cannot sign in. `CAUSEWAY_CHAIN_<id>_RPC_URL` sets the URL of one.',
        ),
    })
    .prefault({}),
  data: z
    .strictObject({
      directory: z
        .string()
        .optional()
        .describe(
          'Folder of the databases and the gateway’s key. Default: `data`; in the sandbox a temporary folder.',
        ),
      retentionDays: positive(30, 'How long envelopes, inbox items and journeys are kept. Days.'),
    })
    .prefault({}),
  route: routeSchema.prefault({}).describe('Route of wallets that have not chosen one.'),
  relay: z
    .strictObject({
      maxEnvelopeBytes: positive(131_072, 'Largest sealed envelope. Bytes.', LIMITS.sealedBytes),
      maxRecipients: positive(64, 'Largest number of recipients of an envelope.', LIMITS.recipients),
      maxInFlightPerNetwork: positive(32, 'How many sends may be under way at once on one network.'),
      sendTimeoutMs: milliseconds(
        15_000,
        'How long one send may take before its outcome counts as uncertain.',
        100,
      ),
      laneHoldMs: milliseconds(
        30_000,
        'How long a delivery that waits for its retry holds back later ones of its conversation.',
      ),
      maxAttempts: positive(40, 'How often a delivery is tried before it is dead.'),
      reconcileIntervalMs: milliseconds(
        20_000,
        'How often the history of a network is walked for messages that its stream lost.',
        1_000,
      ),
      reconcileOverlapMs: milliseconds(60_000, 'How far a walk starts before the last one.'),
    })
    .prefault({}),
  limits: z
    .strictObject({
      walletPerSecond: positive(50, 'Requests a second of one wallet, and of one device, sustained.'),
      walletBurst: positive(200, 'Requests that one wallet, or one device, may make at once.'),
      addressPerSecond: positive(100, 'Requests a second of one client address, sustained.'),
      addressBurst: positive(400, 'Requests that one client address may make at once.'),
      signInsPerMinute: positive(
        30,
        'Challenges and their answers a minute of one client address; a sign-in is two.',
      ),
      strangerPerSecond: positive(
        50,
        'Envelopes a second, heard over networks, of one wallet that has not signed in here, and of one device; sustained.',
      ),
      strangerBurst: positive(500, 'Envelopes that one such wallet, or one device, may send at once.'),
      networkPerSecond: positive(
        100,
        'Certificates a second of such wallets that are verified for one network, sustained. Each is verified once.',
      ),
      networkBurst: positive(1_000, 'Certificates that are verified for one network at once.'),
      mirrorTopics: positive(
        2_000,
        'Topics (conversations and devices) of one wallet on one network that are mirrored.',
        50_000,
      ),
      mirrorPerSecond: positive(
        50,
        'Messages a second of one wallet that are mirrored, sustained. What is over it the wallet fetches itself.',
      ),
      mirrorBurst: positive(5_000, 'Messages of one wallet that are mirrored at once.'),
      streamsPerWallet: positive(20, 'Live streams and sockets of one wallet.'),
      streamBufferBytes: positive(
        1_048_576,
        'Bytes that may wait for a slow reader before its stream is cut (it can resume).',
      ),
    })
    .prefault({}),
  enrolments: z
    .strictObject({
      masterKey: masterKey
        .optional()
        .describe(
          'Key that encrypts the secrets of enrolments and mirrors: 32 bytes as 64 hexadecimal characters or base64url. Default: made into `master.key` in the data folder, beside what it protects.',
        ),
      previousMasterKeys: z
        .array(masterKey)
        .default([])
        .describe('Earlier master keys. What they encrypted is encrypted anew when it is used.'),
      maxPerWallet: positive(4, 'Enrolments that a wallet may have, begun ones included.'),
      maxTotal: positive(10_000, 'Enrolments of all wallets.'),
      maxOpen: positive(
        500,
        'Enrolments with a connection at a time; the ones used least lately are closed.',
      ),
      maxOpening: positive(4, 'Enrolments that are being opened at a time.'),
      idleCloseMs: milliseconds(900_000, 'Without traffic for this long, an enrolment is closed.', 1_000),
      wakeIntervalMs: milliseconds(
        300_000,
        'How often a closed enrolment is opened and its messages are read.',
        1_000,
      ),
      walkIntervalMs: milliseconds(
        60_000,
        'How often the messages of an open enrolment are read for what its stream lost.',
        1_000,
      ),
    })
    .prefault({}),
  admin: z
    .strictObject({
      token: z
        .string()
        .min(16)
        .optional()
        .describe('Token of `/v1/admin/*`, at least 16 characters. Without it these routes do not exist.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Least severe line that is written.'),
    })
    .prefault({}),
  networks: z
    .record(z.string(), z.union([z.literal('sandbox'), z.record(z.string(), z.unknown())]))
    .default({})
    .describe(
      'The networks to join. `sandbox` starts a local stand-in. Without any, all sandboxes are started.',
    ),
})

/** Sets `identity.chains.<id>.rpcUrl`; as with the others, `_FILE` behind it names a file with the value. */
export const CHAIN_VARIABLE = /^CAUSEWAY_CHAIN_([1-9][0-9]{0,15})_RPC_URL(?:_FILE)?$/

export type Config = z.output<typeof configSchema>

/** Environment variables that set one key of the file, stronger than the file. Each also exists as `<NAME>_FILE`, naming a file with the value. */
export const environmentKeys: readonly { name: string; path: readonly string[]; number?: true }[] = [
  { name: 'CAUSEWAY_HOST', path: ['server', 'host'] },
  { name: 'CAUSEWAY_PORT', path: ['server', 'port'], number: true },
  { name: 'CAUSEWAY_PUBLIC_URL', path: ['server', 'publicUrl'] },
  { name: 'CAUSEWAY_DOMAIN', path: ['identity', 'domain'] },
  { name: 'CAUSEWAY_DATA_DIRECTORY', path: ['data', 'directory'] },
  { name: 'CAUSEWAY_ADMIN_TOKEN', path: ['admin', 'token'] },
  { name: 'CAUSEWAY_MASTER_KEY', path: ['enrolments', 'masterKey'] },
  { name: 'CAUSEWAY_LOG_LEVEL', path: ['log', 'level'] },
]
