/** Shapes of the API: envelopes and conversations are named by 64 lower-case hex characters, other bytes are base64url, times are Unix milliseconds. */
import { z } from '@hono/zod-openapi'

/** 32 bytes as lower-case hex. */
export const idSchema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal characters')
  .openapi({ example: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' })

/** Strict base64url without padding, decoded. `length`: exact number of bytes; `max`: at most. */
export function bytesSchema(limits: { length?: number; max?: number } = {}) {
  return z.string().transform((text, context) => {
    const bytes = decodeBase64url(text)
    if (bytes && (limits.length === undefined || bytes.length === limits.length)) {
      if (limits.max === undefined || bytes.length <= limits.max) return bytes
    }
    const amount = limits.length !== undefined ? ` of ${limits.length} bytes` : ''
    context.addIssue({ code: 'custom', message: `must be base64url without padding${amount}` })
    return z.NEVER
  })
}

/** Bytes with a buffer of their own, or null when the text is not the one canonical spelling. */
export function decodeBase64url(text: string): Uint8Array | null {
  const decoded = Buffer.from(text, 'base64url')
  return decoded.toString('base64url') === text ? new Uint8Array(decoded) : null
}

/** In answers. */
export const base64urlSchema = z.string().openapi({ format: 'base64url' })
export const timeSchema = z
  .number()
  .int()
  .openapi({ description: 'Unix milliseconds', example: 1_790_000_000_000 })
export const networkSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,31}$/, 'must be the name of a network')
  .openapi({ example: 'waku' })
export const walletKeySchema = z
  .string()
  .openapi({ example: 'eip155:*:0x90f8bf6a479f320ead074411a4b0e7944ea8c9c1' })
export const cursorSchema = z.string().openapi({
  description: 'Opaque place in the inbox. Pass it back as it is.',
  example: '5f0c1a2b3c4d5e6f.42',
})

export const walletParameter = z.object({
  wallet: z.string().openapi({
    description: 'Wallet key, CAIP-10 account or EVM address, URL-encoded.',
    example: 'eip155:1:0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1',
  }),
})
export const networkParameter = z.object({ network: networkSchema })
export const idParameter = z.object({ id: idSchema })

/** Query parameter `limit`. */
export function limitSchema(fallback: number, max: number) {
  return z.coerce.number().int().min(1).max(max).default(fallback)
}

const routeRule = {
  policy: z.enum(['mirror', 'fallback']).openapi({
    description:
      '`mirror`: a copy to every endpoint. `fallback`: one network after the other until one has it.',
  }),
  order: z.union([z.array(networkSchema).min(1).max(16), z.literal('ranked')]).openapi({
    description: 'Networks in order of preference, or `ranked`: by measured latency and stability.',
  }),
  fallbackAfterMs: z.number().int().min(0).max(3_600_000).openapi({
    description:
      'With `fallback`: milliseconds without an acknowledgement after which the next network is tried too.',
  }),
}

export const routeSchema = z
  .strictObject({
    ...routeRule,
    overrides: z
      .array(z.strictObject({ peer: walletKeySchema, ...routeRule }))
      .max(200)
      .optional()
      .openapi({
        description:
          'Rules for single wallets: for what comes from them, and for what goes to them where they have no route of their own.',
      }),
  })
  .openapi('Route')

export const routeRuleSchema = z.object(routeRule)

export const flagsSchema = z.object({
  ephemeral: z.boolean(),
  silent: z.boolean(),
  hop: z.boolean().openapi({ description: 'Attested by a gateway, not signed by the sender.' }),
})
export const modeSchema = z.enum(['sealed', 'opaque', 'hop'])
export const deliveryStateSchema = z.enum([
  'standby',
  'pending',
  'dispatching',
  'uncertain',
  'acknowledged',
  'dead',
  'superseded',
])

export const endpointSchema = z
  .object({
    network: networkSchema,
    address: z.string().openapi({ description: 'The network’s own address of the wallet.' }),
    enabled: z.boolean(),
    source: z.enum(['derived', 'chosen']),
    updatedAt: timeSchema,
  })
  .openapi('Endpoint')

export const contentTypeSchema = z.string().openapi({ example: 'xmtp.org/text:1.0' })
/** In queries: `authority/type`, with `:major.minor` or without. */
export const typeFilterSchema = z
  .string()
  .max(128)
  .regex(/^[^\s:/]+\/[^\s:/]+(:\d+\.\d+)?$/, 'must be authority/type or authority/type:major.minor')
  .openapi({
    description: 'Content type, with its version or without.',
    example: 'xmtp.org/text',
  })

export const originSchema = z
  .object({
    network: networkSchema,
    conversation: z.string().nullable().openapi({
      description: 'The network’s own id; null: the direct conversation with the recipient.',
    }),
    kind: z.enum(['direct', 'group']),
    remoteId: z.string().nullable().openapi({ description: 'The network’s own id of the message.' }),
    sender: z.string().nullable().openapi({ description: 'The network’s own address of the sender.' }),
  })
  .openapi('Origin')

export const consentSchema = z.enum(['unknown', 'allowed', 'denied'])
export const conversationStateSchema = z
  .object({
    conversation: idSchema,
    consent: consentSchema.openapi({
      description:
        '`unknown` until the wallet chooses or writes in the conversation. What is `denied` is not relayed and not shown unless asked for.',
    }),
    muted: z.boolean().openapi({ description: 'Relayed without notification, where networks can.' }),
    unread: z.number().int().openapi({
      description: 'Received items that were not read; 100 stands for 100 or more.',
    }),
    readThrough: cursorSchema
      .nullable()
      .openapi({ description: 'Place in the inbox up to which it was read; null: nothing was.' }),
  })
  .openapi('ConversationState')

export const inboxItemSchema = z
  .object({
    cursor: cursorSchema,
    id: idSchema,
    direction: z.enum(['received', 'sent']),
    mode: modeSchema,
    from: walletKeySchema,
    conversation: idSchema,
    contentType: contentTypeSchema,
    flags: flagsSchema,
    created: timeSchema,
    receivedAt: timeSchema,
    via: z.string().openapi({ description: '`http`, `socket` or the network over which it came first.' }),
    origin: originSchema.nullable().openapi({
      description: 'In mode `hop`: the network’s own message; else null.',
    }),
    sealed: base64urlSchema.openapi({
      description: 'The envelope (or opaque parcel), to be verified and opened by the client.',
    }),
    certificate: base64urlSchema
      .nullable()
      .openapi({ description: 'Certificate of the sending device, if it came along.' }),
  })
  .openapi('InboxItem')

export const acceptedSchema = z
  .object({
    id: idSchema,
    duplicate: z.boolean().openapi({ description: 'The gateway had taken this envelope before.' }),
    deliveries: z.array(
      z.object({ network: networkSchema, wallet: walletKeySchema, state: deliveryStateSchema }),
    ),
  })
  .openapi('Accepted')

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional(),
    instance: z.string(),
    code: z.string(),
    requestId: z.string(),
    fix: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .openapi('Problem')
