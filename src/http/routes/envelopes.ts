/** Submitting envelopes, and looking one up with its journey. */
import { createRoute, z } from '@hono/zod-openapi'
import { decode } from 'cborg'
import { fromHex } from '../../envelope/index.ts'
import { renderingOf } from '../../relay/rendering.ts'
import { parseJson, readBody, requireMediaType } from '../body.ts'
import { type App, type AppContext, sessionOf } from '../context.ts'
import { codesOf, JSON_BODY, jsonContent, needsSession, refusals, SESSION, STORE } from '../documentation.ts'
import { base64url, encodeAccepted, encodeFlags, hex } from '../encode.ts'
import { HttpError } from '../errors.ts'
import { problemBody, refusalOf } from '../problem-response.ts'
import {
  acceptedSchema,
  base64urlSchema,
  decodeBase64url,
  deliveryStateSchema,
  flagsSchema,
  idParameter,
  idSchema,
  modeSchema,
  networkSchema,
  problemSchema,
  timeSchema,
  walletKeySchema,
} from '../schemas.ts'
import { authenticated, countSession } from '../session.ts'
import { visibleEnvelope } from '../visible-envelope.ts'

const MEDIA_TYPES = ['application/cbor', 'application/json'] as const
const SUBMIT_REFUSALS = [
  ...JSON_BODY,
  ...codesOf('envelope-', 'device-', 'sender-', 'recipient-', 'relay-', 'admission-', 'hop-').filter(
    (code) => code !== 'envelope-not-found',
  ),
]
const binary = z
  .string()
  .openapi({ format: 'binary', description: 'The sealed envelope, deterministic CBOR.' })

const submit = createRoute({
  method: 'post',
  path: '/v1/envelopes',
  operationId: 'submitEnvelope',
  tags: ['Messages'],
  summary: 'Hand in a sealed envelope',
  description:
    'Answers 202 once the envelope is durable: from then on it survives the loss of power. Repeating a submission is harmless; the answer then says `duplicate: true`.',
  security: needsSession,
  request: {
    body: {
      required: true,
      content: {
        'application/cbor': { schema: binary },
        'application/json': { schema: z.strictObject({ sealed: base64urlSchema }) },
      },
    },
  },
  responses: {
    202: { description: 'Durable.', content: jsonContent(acceptedSchema) },
    ...refusals(...SESSION, ...STORE, ...SUBMIT_REFUSALS),
  },
})

const batchResult = z.union([
  acceptedSchema.extend({ status: z.literal(202) }),
  z.object({ status: z.number().int(), problem: problemSchema }),
])

const submitBatch = createRoute({
  method: 'post',
  path: '/v1/envelopes/batch',
  operationId: 'submitEnvelopes',
  tags: ['Messages'],
  summary: 'Hand in several sealed envelopes',
  description:
    'Each envelope is taken or refused by itself, in any order; the results stand in the order of the request. As CBOR: an array of byte strings. One token of the wallet’s rate limit per envelope.',
  security: needsSession,
  request: {
    body: {
      required: true,
      content: {
        'application/cbor': { schema: binary },
        'application/json': { schema: z.strictObject({ sealed: z.array(base64urlSchema).min(1).max(32) }) },
      },
    },
  },
  responses: {
    200: {
      description: 'One result for each envelope.',
      content: jsonContent(z.object({ results: z.array(batchResult) })),
    },
    ...refusals(...SESSION, ...STORE, ...JSON_BODY),
  },
})

const getEnvelope = createRoute({
  method: 'get',
  path: '/v1/envelopes/{id}',
  operationId: 'getEnvelope',
  tags: ['Messages'],
  summary: 'An envelope, for its sender and recipients',
  security: needsSession,
  middleware: [authenticated],
  request: { params: idParameter },
  responses: {
    200: {
      description: 'The envelope.',
      content: jsonContent(
        z.object({
          id: idSchema,
          mode: modeSchema,
          from: walletKeySchema,
          device: base64urlSchema,
          conversation: idSchema,
          contentType: z.string(),
          flags: flagsSchema,
          created: timeSchema,
          expiresAt: timeSchema.nullable(),
          receivedAt: timeSchema,
          via: z.string(),
          sealed: base64urlSchema,
          certificate: base64urlSchema.nullable(),
        }),
      ),
    },
    ...refusals(...SESSION, ...STORE, 'request-invalid', 'envelope-not-found'),
  },
})

const getJourney = createRoute({
  method: 'get',
  path: '/v1/envelopes/{id}/journey',
  operationId: 'getJourney',
  tags: ['Messages'],
  summary: 'Where an envelope went, and when',
  description: 'The sender sees all deliveries; a recipient sees those to its own wallet.',
  security: needsSession,
  middleware: [authenticated],
  request: { params: idParameter },
  responses: {
    200: {
      description: 'Checkpoints in the order in which they were written.',
      content: jsonContent(
        z.object({
          id: idSchema,
          checkpoints: z.array(
            z.object({
              name: z.enum([
                'accepted',
                'persisted',
                'dispatched',
                'remoteAcknowledged',
                'remoteEcho',
                'delivered',
                'read',
              ]),
              status: z.enum(['success', 'willRetry', 'failure', 'uncertain', 'superseded']),
              at: timeSchema,
              monotonic: z
                .number()
                .openapi({ description: 'Milliseconds; comparable within one run of the gateway.' }),
              network: z.string().nullable(),
              wallet: walletKeySchema.nullable(),
              detail: z.string().nullable(),
            }),
          ),
          deliveries: z.array(
            z.object({
              network: networkSchema,
              wallet: walletKeySchema,
              mode: modeSchema,
              state: deliveryStateSchema,
              rendering: z.enum(['native', 'converted', 'fallback', 'dropped']).nullable().openapi({
                description:
                  'Hop mode: what the network’s own clients see. `converted`: another content that says the same; `fallback`: text in its place; `dropped`: nothing. Null in other modes, and before the first try.',
              }),
              attempt: z.number().int(),
              nextAt: timeSchema.nullable(),
              reason: z.string().nullable(),
              updatedAt: timeSchema,
            }),
          ),
        }),
      ),
    },
    ...refusals(...SESSION, ...STORE, 'request-invalid', 'envelope-not-found'),
  },
})

export function registerEnvelopes(app: App): void {
  app.openAPIRegistry.registerPath(submit)
  app.post(submit.getRoutingPath(), authenticated, async (context) => {
    const { relay, settings } = context.get('services')
    const sealed = await readSealed(context, settings.limits.envelopeBytes)
    const accepted = await relay.submit({ sealed, via: 'http', submitter: sessionOf(context).wallet })
    return context.json(encodeAccepted(accepted), 202)
  })

  app.openAPIRegistry.registerPath(submitBatch)
  app.post(submitBatch.getRoutingPath(), authenticated, async (context) => {
    const { relay, settings, log } = context.get('services')
    const { batchBytes, batchEnvelopes } = settings.limits
    const batch = await readBatch(context, batchBytes, batchEnvelopes)
    const session = sessionOf(context)
    const { wallet } = session
    // `authenticated` counted the first.
    if (batch.length > 1) countSession(context.get('services'), session, batch.length - 1)
    const requestId = context.get('requestId')
    const results = await Promise.all(
      batch.map(async (sealed) => {
        try {
          const accepted = await relay.submit({ sealed, via: 'http', submitter: wallet })
          return { status: 202, ...encodeAccepted(accepted) }
        } catch (error) {
          const problem = problemBody(refusalOf(error), requestId)
          if (problem.code === 'internal-error')
            log.error({ err: error, requestId }, 'an envelope of a batch failed')
          return { status: problem.status, problem }
        }
      }),
    )
    return context.json({ results }, 200)
  })

  app.openapi(getEnvelope, async (context) => {
    const { id } = context.req.valid('param')
    const { envelope } = await visibleEnvelope(context, fromHex(id))
    return context.json(
      {
        id,
        mode: envelope.mode,
        from: envelope.from,
        device: base64url(envelope.device),
        conversation: hex(envelope.conversation),
        contentType: envelope.contentType,
        flags: encodeFlags(envelope.flags),
        created: envelope.created,
        expiresAt: envelope.expiresAt === 0 ? null : envelope.expiresAt,
        receivedAt: envelope.receivedAt,
        via: envelope.via,
        sealed: base64url(envelope.bytes),
        certificate: envelope.certificate && base64url(envelope.certificate),
      },
      200,
    )
  })

  app.openapi(getJourney, async (context) => {
    const { id } = context.req.valid('param')
    const { envelope, wallet, isSender } = await visibleEnvelope(context, fromHex(id))
    const { checkpoints, deliveries } = await context.get('services').relay.journey(envelope.id)
    const mine = (of: string | null) => of === null || of === wallet || isSender
    return context.json(
      {
        id,
        checkpoints: checkpoints
          .filter((checkpoint) => mine(checkpoint.wallet))
          .map(({ name, status, at, monotonic, network, wallet: of, detail }) => {
            return { name, status, at, monotonic, network, wallet: of, detail }
          }),
        deliveries: deliveries
          .filter((delivery) => mine(delivery.wallet))
          .map((delivery) => {
            const { network, wallet: of, state, attempt, nextAt, reason, updatedAt } = delivery
            const rendering = renderingOf(delivery, checkpoints)
            const { mode } = envelope
            return { network, wallet: of, mode, state, rendering, attempt, nextAt, reason, updatedAt }
          }),
      },
      200,
    )
  })
}

/** Base64url takes four characters for three bytes; `{"sealed":""}` and spaces take a few more. */
function jsonAllowance(bytes: number): number {
  return Math.ceil((bytes * 4) / 3) + 1024
}

async function readSealed(context: AppContext, limit: number): Promise<Uint8Array> {
  if (requireMediaType(context, MEDIA_TYPES) === 'application/cbor') return readBody(context, limit)
  const body = parseJson(await readBody(context, jsonAllowance(limit)))
  return sealedBytes(sealedMember(body), 'body.sealed')
}

async function readBatch(context: AppContext, limit: number, most: number): Promise<Uint8Array[]> {
  const isCbor = requireMediaType(context, MEDIA_TYPES) === 'application/cbor'
  const bytes = await readBody(context, isCbor ? limit : jsonAllowance(limit))
  const body = isCbor ? decodeBatch(bytes) : parseJson(bytes)
  const list: unknown = isCbor ? body : sealedMember(body)
  if (!Array.isArray(list) || list.length === 0 || list.length > most) {
    throw invalid('body.sealed', `must be a list of 1 to ${most} envelopes`)
  }
  if (isCbor && list.every((item) => item instanceof Uint8Array)) return list
  return list.map((item, index) => sealedBytes(item, `body.sealed.${index}`))
}

function decodeBatch(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { strict: true, allowIndefinite: false })
  } catch (cause) {
    throw new HttpError('request-invalid', 'The body is not CBOR', {
      cause,
      errors: [{ path: 'body', message: 'must be a CBOR array of byte strings' }],
    })
  }
}

function sealedBytes(value: unknown, path: string): Uint8Array {
  const bytes = typeof value === 'string' ? decodeBase64url(value) : null
  if (!bytes) throw invalid(path, 'must be base64url without padding')
  return bytes
}

function invalid(path: string, message: string): HttpError {
  return new HttpError('request-invalid', `${path} ${message}`, { errors: [{ path, message }] })
}

/** `sealed` of a JSON body, which has no other member. */
function sealedMember(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return undefined
  const unknown = Object.keys(body).find((name) => name !== 'sealed')
  if (unknown !== undefined) throw invalid('body', 'has members other than `sealed`')
  return (body as { sealed?: unknown }).sealed
}
