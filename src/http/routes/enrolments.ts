/** Hop mode: a wallet makes the gateway one of its own clients on a network, and ends that. */
import { createRoute, z } from '@hono/zod-openapi'
import type { EnrolmentView } from '../../enrolment/types.ts'
import { MAX_SECRET_BYTES } from '../../envelope/index.ts'
import { jsonBody } from '../body.ts'
import { type App, type AppContext, sessionOf } from '../context.ts'
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
import { HttpError } from '../errors.ts'
import { base64urlSchema, bytesSchema, networkParameter, networkSchema, timeSchema } from '../schemas.ts'
import { authenticated, countSession } from '../session.ts'

/** How long an adapter may take: it makes keys, asks its network and may ask a chain. */
const CALL_TIMEOUT_MS = 30_000
/** Requests of the wallet's rate limit that an enrolment takes beside the first: it costs the gateway and the network. */
const COST = 9
const LONGEST_SIGNATURE = 32_768
const SEALED_SECRET_BYTES = MAX_SECRET_BYTES + 128

const NETWORK = ['network-failed', 'network-unavailable', 'network-rate-limited'] as const
const HERE = [...SESSION, ...STORE, ...codesOf('enrolment-'), 'request-invalid'] as const

const enrolmentId = z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hexadecimal characters')
const enrolmentParameter = networkParameter.extend({ id: enrolmentId })

const enrolmentSchema = z
  .object({
    id: enrolmentId,
    network: networkSchema,
    state: z.enum(['active', 'ended']),
    address: z.string().nullable().openapi({ description: 'The wallet’s address on the network.' }),
    connection: z
      .enum([
        'starting',
        'connecting',
        'backfilling',
        'connected',
        'transientDisconnect',
        'badCredentials',
        'loggedOut',
        'stopped',
        'closed',
      ])
      .nullable()
      .openapi({ description: '`closed`: idle, and opened when it is needed. Null once it has ended.' }),
    reason: z.string().nullable(),
    userAction: z.string().nullable(),
    meaning: z.string().openapi({ description: 'What was agreed to.' }),
    consent: z
      .object({ bytes: base64urlSchema, signature: base64urlSchema })
      .openapi({ description: 'By which the wallet’s other devices check whom to believe.' }),
    createdAt: timeSchema,
    expiresAt: timeSchema,
    endedAt: timeSchema.nullable(),
  })
  .openapi('Enrolment')

const begin = createRoute({
  method: 'post',
  path: '/v1/enrolments/{network}',
  operationId: 'beginEnrolment',
  tags: ['Hop mode'],
  summary: 'Ask for the text by which the wallet makes the gateway its client on a network',
  description:
    'The device of the session signs a consent that names the gateway, the network and its terms; each consent counts once. What is begun ends with a restart of the gateway.',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: {
    params: networkParameter,
    body: jsonRequest(
      z.strictObject({
        consent: z.strictObject({
          bytes: bytesSchema({ max: 1_024 }),
          signature: bytesSchema({ length: 64 }),
        }),
      }),
    ),
  },
  responses: {
    201: {
      description: 'To be signed by the wallet, as it is.',
      content: jsonContent(
        z.object({
          id: enrolmentId,
          network: networkSchema,
          state: z.literal('begun'),
          text: z.string(),
          expiresAt: timeSchema,
        }),
      ),
    },
    ...refusals(...HERE, ...JSON_BODY, ...NETWORK, ...codesOf('consent-')),
  },
})

const complete = createRoute({
  method: 'post',
  path: '/v1/enrolments/{network}/{id}/signature',
  operationId: 'completeEnrolment',
  tags: ['Hop mode'],
  summary: 'Hand in the wallet’s signature',
  security: needsSession,
  middleware: [
    authenticated,
    jsonBody(({ jsonBytes }) => Math.max(jsonBytes, 2 * SEALED_SECRET_BYTES + LONGEST_SIGNATURE)),
  ],
  request: {
    params: enrolmentParameter,
    body: jsonRequest(
      z.strictObject({
        signature: z.string().min(1).max(LONGEST_SIGNATURE),
        chainId: z.number().int().positive().optional().openapi({
          description: 'Chain on which the signature of a smart account is checked.',
        }),
        handover: bytesSchema({ max: SEALED_SECRET_BYTES }).optional().openapi({
          type: 'string',
          format: 'base64url',
          description:
            'Where the network’s terms say `handover: key`: the wallet’s key there, sealed to the gateway.',
        }),
      }),
    ),
  },
  responses: {
    200: { description: 'Active.', content: jsonContent(enrolmentSchema) },
    ...refusals(...HERE, ...JSON_BODY, ...NETWORK, 'consent-used'),
  },
})

const list = createRoute({
  method: 'get',
  path: '/v1/enrolments',
  operationId: 'listEnrolments',
  tags: ['Hop mode'],
  summary: 'The enrolments of one’s own wallet',
  security: needsSession,
  middleware: [authenticated],
  responses: {
    200: {
      description: 'Oldest first. Ended ones as long as messages are kept.',
      content: jsonContent(z.object({ enrolments: z.array(enrolmentSchema) })),
    },
    ...refusals(...SESSION, ...STORE),
  },
})

const revoke = createRoute({
  method: 'delete',
  path: '/v1/enrolments/{network}/{id}',
  operationId: 'revokeEnrolment',
  tags: ['Hop mode'],
  summary: 'End an enrolment',
  description:
    'The gateway deletes its keys and databases first, and then tells the network as far as it can.',
  security: needsSession,
  middleware: [authenticated],
  request: { params: enrolmentParameter },
  responses: {
    200: {
      description: 'Nothing is left here.',
      content: jsonContent(
        z.object({
          id: enrolmentId,
          state: z.literal('ended'),
          remote: z.enum(['done', 'pending', 'none']).openapi({
            description: '`pending`: the wallet has to take the gateway off with another client.',
          }),
          userAction: z.string().nullable(),
        }),
      ),
    },
    ...refusals(...HERE),
  },
})

export function registerEnrolments(app: App): void {
  app.openapi(begin, async (context) => {
    const session = sessionOf(context)
    countSession(context.get('services'), session, COST)
    const { consent } = context.req.valid('json')
    const { network } = context.req.valid('param')
    const begun = await enrolmentsOf(context).begin(session, network, consent, timeout())
    return context.json({ ...begun, state: 'begun' as const }, 201)
  })

  app.openapi(complete, async (context) => {
    const session = sessionOf(context)
    countSession(context.get('services'), session, COST)
    const { signature, chainId = null, handover = null } = context.req.valid('json')
    const { network, id } = context.req.valid('param')
    const completion = { signature, chainId, handover }
    const view = await enrolmentsOf(context).complete(session, network, id, completion, timeout())
    return context.json(encode(view), 200)
  })

  app.openapi(list, async (context) => {
    const enrolments = await context.get('services').enrolments?.list(sessionOf(context).wallet)
    return context.json({ enrolments: (enrolments ?? []).map(encode) }, 200)
  })

  app.openapi(revoke, async (context) => {
    const { network, id } = context.req.valid('param')
    const { wallet } = sessionOf(context)
    const { remote, userAction = null } = await enrolmentsOf(context).revoke(wallet, network, id, timeout())
    return context.json({ id, state: 'ended' as const, remote, userAction }, 200)
  })
}

function enrolmentsOf(context: AppContext) {
  const { enrolments } = context.get('services')
  if (!enrolments) throw new HttpError('enrolment-unsupported', 'This gateway has no hop mode')
  return enrolments
}

const timeout = () => AbortSignal.timeout(CALL_TIMEOUT_MS)

function encode({ consent, ...view }: EnrolmentView): z.output<typeof enrolmentSchema> {
  return {
    ...view,
    consent: { bytes: base64url(consent.bytes), signature: base64url(consent.signature) },
  }
}
