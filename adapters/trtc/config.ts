/** Configuration of the TRTC adapter, and the data centers of the service. */
import { z } from 'zod'

/** Hosts of the REST API by data center, the second to be tried when the first cannot be reached. */
export const regionHosts = {
  china: ['console.tim.qq.com', 'adminapi.my-imcloud.com'],
  singapore: ['adminapisgp.im.qcloud.com', 'adminapisgp.my-imcloud.com'],
  korea: ['adminapikr.im.qcloud.com', 'adminapikr.my-imcloud.com'],
  germany: ['adminapiger.im.qcloud.com', 'adminapiger.my-imcloud.com'],
  india: ['adminapiind.im.qcloud.com', 'adminapiind.my-imcloud.com'],
  japan: ['adminapijpn.im.qcloud.com', 'adminapijpn.my-imcloud.com'],
  usa: ['adminapiusa.im.qcloud.com', 'adminapiusa.my-imcloud.com'],
  indonesia: ['adminapiidn.im.qcloud.com', 'adminapiidn.my-imcloud.com'],
} as const

export type Region = keyof typeof regionHosts

/** Ranges of app ids, in order from 20,000,000 and 1,720,000,000 on, as `@tencentcloud/chat` maps them to data centers. */
const regionsByRange: readonly Region[] = [
  'singapore',
  'korea',
  'germany',
  'india',
  'japan',
  'usa',
  'indonesia',
]

/** The data center that an app id belongs to. */
export function regionOf(sdkAppId: number): Region {
  const short = Math.floor(sdkAppId / 10_000_000) - 2
  const long = Math.floor(sdkAppId / 10_000_000) - 172
  return regionsByRange[short] ?? regionsByRange[long] ?? 'china'
}

const loopback = /^(127\.0\.0\.1|localhost|\[::1\])$/

/** Everything that carries a UserSig is encrypted, except on this machine. */
function encryptedOrLoopback(url: string, encrypted: 'https:' | 'wss:'): boolean {
  const parsed = URL.parse(url)
  return parsed !== null && (parsed.protocol === encrypted || loopback.test(parsed.hostname))
}

export const configSchema = z.strictObject({
  sdkAppId: z.coerce
    .number()
    .int()
    .positive()
    .max(0xffffffff)
    .describe('SDKAppID of the Tencent Chat app, from the console.'),
  secretKey: z
    .string()
    .min(16)
    .describe('SecretKey of the app. Signs for every user: keep it on the server.'),
  adminUserId: z
    .string()
    .regex(/^[\x21-\x7e]{1,32}$/)
    .default('administrator')
    .describe('Administrator account of the app, as the console shows it.'),
  webhookToken: z
    .string()
    .min(8)
    .describe('Authentication token of the webhooks, as entered in the console. The service signs with it.'),
  webhookSecret: z
    .string()
    .regex(/^[A-Za-z0-9_-]{16,128}$/, '16 to 128 letters, digits, hyphens or underscores')
    .describe('Last part of the webhook URL: https://<gateway>/hooks/trtc/<webhookSecret>.'),
  region: z
    .enum(Object.keys(regionHosts) as [Region, ...Region[]])
    .optional()
    .describe('Data center of the app. Default: the one that the SDKAppID belongs to.'),
  restUrl: z
    .url({ protocol: /^https?$/ })
    .refine((url) => encryptedOrLoopback(url, 'https:'), 'must be https, or an address of this machine')
    .optional()
    .describe('Address of the REST API in place of the hosts of the region. For the sandbox and proxies.'),
  proxyServer: z
    .url({ protocol: /^wss?$/ })
    .refine((url) => encryptedOrLoopback(url, 'wss:'), 'must be wss, or an address of this machine')
    .optional()
    .describe(
      'WebSocket address that clients must connect to (`proxyServer` of the SDK). Absent: the public service.',
    ),
  userIdSecret: z
    .string()
    .min(16)
    .optional()
    .describe(
      'Keys the map from wallets to userIDs, so that the service cannot recognise wallets. Changing it gives every wallet a new userID.',
    ),
  credentialLifetimeSeconds: z
    .number()
    .int()
    .min(300)
    .max(86_400)
    .default(86_400)
    .describe('How long a UserSig issued to a client holds, in seconds; at most a day.'),
  requestTimeoutMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('Longest wait for one answer of the REST API, in milliseconds.'),
  requestsPerSecond: z
    .number()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('REST calls a second; the service allows 200 for each command unless more were bought.'),
  maxInFlight: z
    .number()
    .int()
    .min(1)
    .max(512)
    .default(32)
    .describe('REST calls that may wait for an answer at once.'),
  probeIntervalMs: z
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(30_000)
    .describe('Pause between two checks that the service can be reached while connected, in milliseconds.'),
})

export type TrtcConfig = z.output<typeof configSchema>

/** Base URLs of the REST API, without trailing slash, in the order in which they are tried. */
export function restUrls(config: TrtcConfig): string[] {
  if (config.restUrl) return [config.restUrl.replace(/\/+$/, '')]
  return regionHosts[config.region ?? regionOf(config.sdkAppId)].map((host) => `https://${host}`)
}
