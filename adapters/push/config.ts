/** Configuration of the Push adapter: `networks.push`. */
import { z } from 'zod'

/** REST addresses of the service, as the SDK names them. */
export const environments = {
  prod: 'https://backend.epns.io/apis',
  staging: 'https://backend-staging.epns.io/apis',
  dev: 'https://backend-dev.epns.io/apis',
} as const

export type Environment = keyof typeof environments

/** Ethereum's chain id of each environment: feeds and channels are named by it. */
const chains: Record<Environment, number> = { prod: 1, staging: 11_155_111, dev: 11_155_111 }

const loopback = /^(127\.0\.0\.1|localhost|\[::1\])$/

export const configSchema = z.strictObject({
  walletKey: z
    .string()
    .regex(/^(0x)?[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
    .describe(
      'Private key of the wallet that is the gateway’s account on Push. Use one that holds no funds; whoever has it reads the account.',
    ),
  environment: z
    .enum(Object.keys(environments) as [Environment, ...Environment[]])
    .default('prod')
    .describe('Which of the service’s environments to join; accounts differ between them.'),
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => {
      const parsed = URL.parse(url)
      return parsed !== null && (parsed.protocol === 'https:' || loopback.test(parsed.hostname))
    }, 'must be https, or an address of this machine')
    .optional()
    .describe('REST address in place of the environment’s, ending in /apis. For the sandbox and proxies.'),
  channel: z
    .strictObject({
      address: z
        .string()
        .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address')
        .describe('Address of the channel, on Ethereum (Sepolia for staging and dev).'),
      key: z
        .string()
        .regex(/^(0x)?[0-9a-fA-F]{64}$/, 'must be 64 hexadecimal digits')
        .describe('Private key of the channel, or of an account that the channel has delegated to.'),
      link: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Where a tap on the notification leads, e.g. the web inbox.'),
      intervalMs: z
        .int()
        .min(1_000)
        .max(2_592_000_000)
        .default(3_600_000)
        .describe(
          'Shortest pause between two notifications to one wallet that was not here in between, in milliseconds.',
        ),
    })
    .optional()
    .describe(
      'A channel of the gateway’s own, which tells its subscribers that a message waits when nothing else would. Default: none.',
    ),
  createProfile: z.boolean().default(true).describe('Make a Push profile for the wallet where it has none.'),
  maxFrameBytes: z
    .int()
    .min(4_096)
    .max(139_264)
    .default(65_536)
    .describe(
      'Largest frame to send, in bytes. The service’s own limit is not documented; it stores 3.6 times this.',
    ),
  requestTimeoutMs: z
    .int()
    .min(100)
    .max(120_000)
    .default(10_000)
    .describe('Longest wait for one HTTP answer, in milliseconds. The SDK by itself waits for ever.'),
  probeIntervalMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe('Pause between two checks that the service answers while connected, in milliseconds.'),
  reconnectMaxMs: z
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe('Longest pause between two attempts to connect, in milliseconds.'),
  profileCacheMs: z
    .int()
    .min(0)
    .max(3_600_000)
    .default(60_000)
    .describe('How long a wallet’s verified keys are used before they are looked up again, in milliseconds.'),
})

export type PushConfig = z.output<typeof configSchema>

export function chainOf({ environment }: Pick<PushConfig, 'environment'>): number {
  return chains[environment]
}

/** REST address without trailing slash. */
export function baseUrlOf(config: PushConfig): string {
  return (config.url ?? environments[config.environment]).replace(/\/+$/, '')
}
