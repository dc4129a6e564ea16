/** Configuration of the XMTP adapter. */
import { z } from 'zod'

const loopback = /^(127\.0\.0\.1|localhost|\[::1\])$/

/** Where the SDK connects to unless `apiUrl` says otherwise. */
export const networkUrls = {
  local: 'http://localhost:5556',
  dev: 'https://grpc.dev.xmtp.network:443',
  production: 'https://grpc.production.xmtp.network:443',
} as const

export type Environment = keyof typeof networkUrls

const key32 = (what: string) =>
  z
    .string()
    .regex(/^0x[0-9a-fA-F]{64}$/, `${what} is 0x and 64 hexadecimal digits`)
    .transform((hex) => hex.toLowerCase())

export const configSchema = z.strictObject({
  environment: z
    .enum(Object.keys(networkUrls) as [Environment, ...Environment[]])
    .default('production')
    .describe('Network of XMTP: `production`, `dev`, or `local` for a node of your own.'),
  apiUrl: z
    .url({ protocol: /^https?$/ })
    .refine((url) => {
      const parsed = URL.parse(url)
      return parsed !== null && (parsed.protocol === 'https:' || loopback.test(parsed.hostname))
    }, 'must be https, or an address of this machine')
    .optional()
    .describe(
      'Address of the node (gRPC) in place of the one of `environment`. For the sandbox and own nodes.',
    ),
  walletKey: key32('walletKey').describe(
    'Private key of the wallet whose inbox the gateway is, for nothing else. Who has it is the gateway on XMTP. Keep it: another key is another inbox.',
  ),
  databaseKey: key32('databaseKey')
    .optional()
    .describe(
      'Key of the local database. Default: derived from walletKey. A database can be read with its key alone.',
    ),
  databaseDirectory: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of the local database. Default: in the data folder. It is the installation: the network allows 10 of them in the life of an inbox without revocations, so keep it and back it up.',
    ),
  publishesPerMinute: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Messages a minute on the long run; five minutes of them may go at once. Default: 600, the limit of the public network; none for `local`.',
    ),
  probeIntervalMs: z
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(15_000)
    .describe('Pause between two checks that the network can be reached while connected, in milliseconds.'),
})

export type XmtpConfig = z.output<typeof configSchema>

/** The node that a configuration connects to. */
export function apiUrlOf(config: XmtpConfig): string {
  return config.apiUrl ?? networkUrls[config.environment]
}
