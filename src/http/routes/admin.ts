/** Operators' routes. Without a configured token they do not exist. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { App, AppEnv } from '../context.ts'
import { jsonContent, needsAdmin, refusals, STORE } from '../documentation.ts'
import { encodeDelivery } from '../encode.ts'
import { HttpError } from '../errors.ts'
import {
  deliveryStateSchema,
  idSchema,
  limitSchema,
  networkParameter,
  networkSchema,
  timeSchema,
  walletKeySchema,
} from '../schemas.ts'
import { bearerToken } from '../session.ts'

const deliverySchema = z
  .object({
    id: z.number().int(),
    envelopeId: idSchema,
    wallet: walletKeySchema,
    network: networkSchema,
    state: deliveryStateSchema,
    rank: z.number().int(),
    attempt: z.number().int(),
    nextAt: timeSchema.nullable(),
    reason: z.string().nullable(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
  })
  .openapi('Delivery')

/** Compares digests, so that neither length nor content of the token shows in the time it takes. */
const administrator: MiddlewareHandler<AppEnv> = async (context, next) => {
  const { adminToken } = context.get('services').settings
  if (adminToken === null) throw new HttpError('not-found', 'No admin token is configured')
  const token = bearerToken(context)
  const digest = (text: string) => createHash('sha256').update(text).digest()
  if (token === null || !timingSafeEqual(digest(token), digest(adminToken))) {
    throw new HttpError('admin-token-invalid', 'The admin token is missing or wrong')
  }
  await next()
}

const admin = { tags: ['Operations'], security: needsAdmin, middleware: [administrator] }

const listDeliveries = createRoute({
  ...admin,
  method: 'get',
  path: '/v1/admin/deliveries',
  operationId: 'listDeliveries',
  summary: 'Deliveries, newest first',
  request: {
    query: z.strictObject({
      state: deliveryStateSchema.optional(),
      network: networkSchema.optional(),
      limit: limitSchema(50, 500),
      before: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .openapi({ description: '`next` of the page before.' }),
    }),
  },
  responses: {
    200: {
      description: 'The page. `next` is null on the last one.',
      content: jsonContent(
        z.object({ deliveries: z.array(deliverySchema), next: z.number().int().nullable() }),
      ),
    },
    ...refusals(...STORE, 'request-invalid', 'admin-token-invalid', 'not-found'),
  },
})

const replayDelivery = createRoute({
  ...admin,
  method: 'post',
  path: '/v1/admin/deliveries/{id}/replay',
  operationId: 'replayDelivery',
  summary: 'Send a dead or superseded delivery again',
  request: { params: z.object({ id: z.coerce.number().int().min(1) }) },
  responses: {
    200: { description: 'The delivery as it now is.', content: jsonContent(deliverySchema) },
    ...refusals(
      ...STORE,
      'request-invalid',
      'admin-token-invalid',
      'not-found',
      'delivery-unknown',
      'delivery-not-replayable',
    ),
  },
})

const restartNetwork = createRoute({
  ...admin,
  method: 'post',
  path: '/v1/admin/networks/{network}/restart',
  operationId: 'restartNetwork',
  summary: 'Stop and start the adapter of a network',
  request: { params: networkParameter },
  responses: {
    202: {
      description: 'Restarted; it connects on its own time.',
      content: jsonContent(z.object({ network: networkSchema })),
    },
    ...refusals('request-invalid', 'admin-token-invalid', 'not-found', 'network-unknown'),
  },
})

export function registerAdmin(app: App): void {
  app.openapi(listDeliveries, async (context) => {
    const { state, network, limit, before } = context.req.valid('query')
    const page = await context.get('services').store.listDeliveries({
      state: state ?? null,
      network: network ?? null,
      limit,
      beforeId: before ?? null,
    })
    const next = page.length === limit ? page.at(-1)!.id : null
    return context.json({ deliveries: page.map(encodeDelivery), next }, 200)
  })

  app.openapi(replayDelivery, async (context) => {
    const { relay, log } = context.get('services')
    const { id } = context.req.valid('param')
    const delivery = await relay.replay(id)
    log.info({ delivery: id, network: delivery.network }, 'an operator replays a delivery')
    return context.json(encodeDelivery(delivery), 200)
  })

  app.openapi(restartNetwork, async (context) => {
    const { networks, log } = context.get('services')
    const { network } = context.req.valid('param')
    if (!networks.get(network))
      throw new HttpError('network-unknown', `This gateway has not joined ${network}`)
    log.info({ network }, 'an operator restarts a network')
    await networks.restart(network)
    return context.json({ network }, 202)
  })
}
