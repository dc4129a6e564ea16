/** Why messages go the way they go. */
import { createRoute, z } from '@hono/zod-openapi'
import { decodeSealed, fromHex } from '../../envelope/index.ts'
import type { RouteExplanation } from '../../relay/types.ts'
import { type App, sessionOf } from '../context.ts'
import { codesOf, jsonContent, needsSession, refusals, SESSION, STORE } from '../documentation.ts'
import {
  deliveryStateSchema,
  idSchema,
  networkSchema,
  routeRuleSchema,
  timeSchema,
  walletKeySchema,
} from '../schemas.ts'
import { authenticated } from '../session.ts'
import { visibleEnvelope } from '../visible-envelope.ts'

const stepSchema = z
  .object({
    network: networkSchema,
    use: z.enum(['copy', 'first', 'standby', 'heard-there', 'origin', 'not-needed', 'no-endpoint']).openapi({
      description:
        '`copy`: one of a mirror route. `first`, `standby`: of a fallback route. `heard-there`: the message came over this endpoint. `origin`: it is a native or opaque message of this network. `not-needed`: a network before it has the message. `no-endpoint`: the wallet has no enabled address there.',
    }),
    place: z.enum(['named', 'not-named', 'ranked', 'quiet', 'probed', 'not-connected']).openapi({
      description:
        'Why it stands in this place. `named`, `not-named`: by the order of the route. `ranked`: by its score. `quiet`: hardly measured lately. `probed`: put first to be measured. `not-connected`: put last.',
    }),
    standing: z
      .object({
        connected: z.boolean(),
        quiet: z.boolean(),
        latencyMs: z.number().nullable().openapi({ description: 'Mean time to the acknowledgement.' }),
        stability: z.number().nullable().openapi({ description: 'Share of tries that succeeded, 0 to 1.' }),
        score: z.number().openapi({ description: '0 to 1, higher is better.' }),
      })
      .nullable()
      .openapi({ description: 'What was measured; null where the order does not depend on it.' }),
    state: deliveryStateSchema.nullable(),
    reason: z.string().nullable().openapi({ description: 'Of the state of the delivery.' }),
  })
  .openapi('RouteStep')

const explanationSchema = routeRuleSchema
  .extend({
    wallet: walletKeySchema,
    source: z.enum(['own', 'override', 'sender', 'default']).nullable().openapi({
      description:
        'Whose rule it is: the recipient’s route, its override for the sender, the sender’s override for the recipient, or the gateway’s default. Null for other wallets than one’s own.',
    }),
    plannedAt: timeSchema,
    isExact: z.boolean().openapi({
      description:
        'The rule and the measurements are those of the moment of planning. Otherwise they are the present ones: routes may have changed, and ranked choices are remembered for the last 10,000 plans since the gateway started.',
    }),
    steps: z
      .array(stepSchema)
      .openapi({ description: 'In the order of use; networks that are not used come last.' }),
  })
  .openapi('RouteExplanation')

const explain = createRoute({
  method: 'get',
  path: '/v1/routes/explain',
  operationId: 'explainRoute',
  tags: ['Messages'],
  summary: 'Why a message went the way it went',
  description:
    'With `envelope`: for its sender, how it goes to each recipient; for a recipient, how it goes to them. Without: how a message to the session’s wallet would go now, from anybody or from the wallet `from`.',
  security: needsSession,
  middleware: [authenticated],
  request: {
    query: z.object({
      envelope: idSchema.optional(),
      from: z.string().max(300).optional().openapi({
        description: 'Wallet key, CAIP-10 account or EVM address.',
      }),
    }),
  },
  responses: {
    200: {
      description: 'One explanation for each wallet.',
      content: jsonContent(z.object({ routes: z.array(explanationSchema) })),
    },
    ...refusals(
      ...SESSION,
      ...STORE,
      'request-invalid',
      'envelope-not-found',
      ...codesOf('account-', 'relay-'),
    ),
  },
})

export function registerRouteExplanations(app: App): void {
  app.openapi(explain, async (context) => {
    const { relay, identity } = context.get('services')
    const { wallet } = sessionOf(context)
    const { envelope: id, from } = context.req.valid('query')
    if (id === undefined) {
      const sender = from === undefined ? null : await identity.findWallet(from)
      return context.json({ routes: [encode(await relay.explainRoute(wallet, sender), wallet)] }, 200)
    }
    const { envelope, isSender } = await visibleEnvelope(context, fromHex(id))
    const isOwn = isSender && envelope.mode === 'sealed'
    const recipients = isOwn ? decodeSealed(envelope.bytes).header.to : [wallet]
    const routes = await relay.explain(envelope, recipients)
    return context.json({ routes: routes.map((route) => encode(route, wallet)) }, 200)
  })
}

function encode(explanation: RouteExplanation, reader: string): z.output<typeof explanationSchema> {
  const { wallet, source, policy, order, fallbackAfterMs, plannedAt, isExact, steps } = explanation
  return {
    wallet,
    source: wallet === reader ? source : null,
    ...{ policy, order, fallbackAfterMs, plannedAt, isExact },
    steps: steps.map(({ network, use, place, standing, state, reason }) => ({
      ...{ network, use, place },
      standing: standing && {
        connected: standing.connected,
        quiet: standing.quiet,
        latencyMs: standing.latencyMs,
        stability: standing.stability,
        score: standing.score,
      },
      ...{ state, reason },
    })),
  }
}
