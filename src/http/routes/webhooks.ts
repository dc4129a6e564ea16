/** Webhooks of networks, at paths that only the network and the operator know. */
import { createRoute, z } from '@hono/zod-openapi'
import type { WebhookResponse } from '../../adapter/index.ts'
import { readBody } from '../body.ts'
import type { App } from '../context.ts'
import { codesOf, refusals } from '../documentation.ts'
import { HttpError } from '../errors.ts'
import { isProblemCode } from '../problems.ts'
import { limitError } from '../rate-limit.ts'
import { networkSchema } from '../schemas.ts'

const receive = createRoute({
  method: 'post',
  path: '/hooks/{network}/{secret}',
  operationId: 'receiveWebhook',
  tags: ['Operations'],
  summary: 'A network calls the gateway',
  description:
    'The adapter of the network checks secret, signature and clock, and answers in the network’s own form.',
  request: {
    params: z.object({ network: networkSchema, secret: z.string().max(256) }),
    body: { required: true, content: { 'application/json': { schema: z.unknown() } } },
  },
  responses: {
    200: {
      description: 'Taken; the body is the network’s own.',
      content: { 'application/json': { schema: z.unknown() } },
    },
    ...refusals(...codesOf('webhook-'), 'body-too-large', 'body-timeout', 'body-incomplete', 'not-found'),
  },
})

/** A network gives up and calls again after a few seconds. */
const HANDLE_TIMEOUT_MS = 10_000

/** Answers to a caller that did not prove to be the network. */
const UNAUTHENTIC = new Set([401, 403, 404])

export function registerWebhooks(app: App): void {
  app.openAPIRegistry.registerPath(receive)
  app.post(receive.getRoutingPath(), async (context) => {
    const { networks, settings, metrics, log, rates } = context.get('services')
    const address = context.get('address')
    const limited = limitError(rates.refusedWebhook.wait(address), 'address')
    if (limited) {
      metrics.rateLimited('address')
      throw limited
    }
    const network = context.req.param('network')
    const facet = networks.get(network)?.adapter.webhook
    if (!facet) throw new HttpError('not-found', 'There is no such webhook')
    const body = await readBody(context, settings.limits.webhookBodyBytes)
    let answer: WebhookResponse
    try {
      answer = await facet.handle(
        {
          secret: context.req.param('secret'),
          query: new URL(context.req.url).searchParams,
          headers: context.req.raw.headers,
          body,
        },
        AbortSignal.timeout(HANDLE_TIMEOUT_MS),
      )
    } catch (error) {
      metrics.webhook(network, 'failed', null)
      throw error
    }
    if (answer.status >= 500) {
      metrics.webhook(network, 'failed', answer.code ?? null)
      throw new HttpError(
        'network-unavailable',
        `The adapter of ${network} could not take the call; call again`,
      )
    }
    if (answer.status < 400) {
      metrics.webhook(network, 'taken', null)
      return Response.json(answer.body ?? {}, { status: answer.status })
    }
    // Strangers get as many tries as they get sign-ins. The network itself is refused only for what it repeats.
    if (UNAUTHENTIC.has(answer.status)) rates.refusedWebhook.take(address)
    const code = answer.code ?? 'webhook-refused'
    metrics.webhook(network, 'refused', code)
    log.warn({ network, code, requestId: context.get('requestId') }, 'a webhook was refused')
    throw new HttpError(
      isProblemCode(code) ? code : 'webhook-refused',
      `The adapter of ${network} refused the call`,
    )
  })
}
