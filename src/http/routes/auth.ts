/** Signing in and out. */
import { createRoute, z } from '@hono/zod-openapi'
import { WALLET_KINDS } from '../../identity/index.ts'
import { jsonBody } from '../body.ts'
import type { App, AppContext } from '../context.ts'
import {
  codesOf,
  JSON_BODY,
  jsonContent,
  jsonRequest,
  needsSession,
  refusals,
  SESSION,
  STORE,
} from '../documentation.ts'
import { base64url } from '../encode.ts'
import { limitError } from '../rate-limit.ts'
import { base64urlSchema, bytesSchema, timeSchema, walletKeySchema } from '../schemas.ts'
import { authenticated } from '../session.ts'

const challenge = createRoute({
  method: 'post',
  path: '/v1/auth/challenge',
  operationId: 'createChallenge',
  tags: ['Sign in'],
  summary: 'Ask for a text to sign',
  description:
    'Answers an EIP-4361 / CAIP-122 text that certifies the device key (or, with `action: revoke`, takes its certificate away). The wallet signs it as it is (EIP-191 personal_sign; Ed25519 on Solana); the signature goes to `POST /v1/auth/verify`.',
  middleware: [jsonBody()],
  request: {
    body: jsonRequest(
      z.strictObject({
        wallet: z.string().max(200).openapi({
          description: 'CAIP-10 account, or a bare EVM address, which stands for chain 1.',
          example: 'eip155:1:0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1',
        }),
        kind: z.enum(WALLET_KINDS).optional().openapi({
          description:
            'How the wallet signs. `evm-contract` for a smart account (ERC-1271, ERC-6492), which is a wallet of its own on its chain. Default: `evm-account` or `solana-account`, by the namespace.',
        }),
        device: z.strictObject({
          publicKey: bytesSchema({ length: 32 }).openapi({ description: 'Ed25519 public key, base64url.' }),
          label: z.string().min(1).max(64).openapi({ example: 'laptop of Alice' }),
        }),
        action: z.enum(['add', 'revoke']).default('add'),
      }),
    ),
  },
  responses: {
    200: {
      description: 'The text to sign.',
      content: jsonContent(
        z.object({
          challengeId: z.string(),
          message: z.string(),
          expiresAt: timeSchema,
          entry: base64urlSchema.openapi({
            description: 'Canonical CBOR of the key-log entry whose hash stands in the text.',
          }),
        }),
      ),
    },
    ...refusals(
      ...JSON_BODY,
      ...STORE,
      ...codesOf('account-', 'identity-', 'chain-', 'device-key', 'device-label', 'device-unknown'),
    ),
  },
})

const verify = createRoute({
  method: 'post',
  path: '/v1/auth/verify',
  operationId: 'verifyChallenge',
  tags: ['Sign in'],
  summary: 'Send the signature and get a token',
  middleware: [jsonBody()],
  request: {
    body: jsonRequest(
      z.strictObject({
        challengeId: z.string().min(1).max(128),
        signature: z
          .string()
          .min(1)
          .max(8192)
          .openapi({ description: '`0x…` hex of the wallet’s signature; on Solana base58 as well.' }),
      }),
    ),
  },
  responses: {
    200: {
      description: 'Signed in, or revoked.',
      content: jsonContent(
        z.object({
          token: z.string().nullable().openapi({ description: 'Bearer token; null after `revoke`.' }),
          expiresAt: timeSchema.nullable(),
          wallet: walletKeySchema,
          certificate: base64urlSchema.nullable().openapi({
            description:
              'Certificate of the device, to be put into frames. Null when the signature of a smart account is too long for one.',
          }),
        }),
      ),
    },
    ...refusals(
      ...JSON_BODY,
      ...STORE,
      ...codesOf('challenge-', 'wallet-', 'account-kind', 'chain-', 'key-log-', 'key-entry-'),
    ),
  },
})

const signOut = createRoute({
  method: 'delete',
  path: '/v1/auth/session',
  operationId: 'endSession',
  tags: ['Sign in'],
  summary: 'End the session of the token',
  description:
    'The device stays certified; use a challenge with `action: revoke` to take its certificate away.',
  security: needsSession,
  middleware: [authenticated],
  responses: { 204: { description: 'Ended.' }, ...refusals(...SESSION, ...STORE) },
})

export function registerAuth(app: App): void {
  app.openapi(challenge, async (context) => {
    countSignIn(context)
    const { identity } = context.get('services')
    const { kind, ...asked } = context.req.valid('json')
    const made = await identity.challenge(kind ? { ...asked, kind } : asked)
    const { challengeId, message, expiresAt, entry } = made
    return context.json({ challengeId, message, expiresAt, entry: base64url(entry) }, 200)
  })

  app.openapi(verify, async (context) => {
    countSignIn(context)
    const { identity } = context.get('services')
    const { certificate, ...signedIn } = await identity.verify(
      context.req.valid('json'),
      context.req.raw.signal,
    )
    return context.json({ ...signedIn, certificate: certificate && base64url(certificate) }, 200)
  })

  app.openapi(signOut, async (context) => {
    await context.get('services').identity.signOut(context.get('token') ?? '')
    return context.body(null, 204)
  })
}

/** Both halves of a sign-in are worth counting: the first writes, the second has a public key recovered. Throws `rate-limited`. */
function countSignIn(context: AppContext): void {
  const { rates, metrics } = context.get('services')
  const limited = limitError(rates.signIn.take(context.get('address')), 'address')
  if (limited) {
    metrics.rateLimited('signIn')
    throw limited
  }
}
