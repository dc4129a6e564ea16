/** Opaque mirroring: a wallet has a network's own ciphertext carried to its fast transport. */
import { createRoute, z } from '@hono/zod-openapi'
import type { MirrorSummary } from '../../relay/types.ts'
import { jsonBody } from '../body.ts'
import { type App, sessionOf } from '../context.ts'
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
import { networkParameter, networkSchema, timeSchema } from '../schemas.ts'
import { authenticated } from '../session.ts'

const mirrorSchema = z
  .object({
    network: networkSchema,
    topics: z.number().int().openapi({ description: 'How many topics are followed.' }),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    following: z.boolean().openapi({ description: 'The network’s adapter has taken it up.' }),
  })
  .openapi('Mirror')

const putMirror = createRoute({
  method: 'put',
  path: '/v1/mirrors/{network}',
  operationId: 'setMirror',
  tags: ['Mirroring'],
  summary: 'Have a network’s own messages mirrored to the fast transport',
  description:
    'For the session’s wallet, in the place of what was registered before. The body is what the network’s mirroring needs; for XMTP `{installations, conversations: [{id, cursor, hmacKeys: [{epoch, key}]}]}`, made by `client.xmtp.registration`. It is kept encrypted, and is not shown again. What is mirrored begins with the cursors, or with what comes after this answer.',
  security: needsSession,
  middleware: [authenticated, jsonBody(({ registrationBytes }) => registrationBytes)],
  request: { params: networkParameter, body: jsonRequest(z.record(z.string(), z.unknown())) },
  responses: {
    200: { description: 'What is followed from now on.', content: jsonContent(mirrorSchema) },
    ...refusals(
      ...SESSION,
      ...JSON_BODY,
      ...STORE,
      'network-unknown',
      'mirror-unsupported',
      'mirror-registration-invalid',
      'mirror-too-large',
      ...codesOf('relay-'),
    ),
  },
})

const deleteMirror = createRoute({
  method: 'delete',
  path: '/v1/mirrors/{network}',
  operationId: 'endMirror',
  tags: ['Mirroring'],
  summary: 'End the mirroring of a network',
  description: 'Once answered, nothing more is taken for the wallet, and what was registered is deleted.',
  security: needsSession,
  middleware: [authenticated],
  request: { params: networkParameter },
  responses: {
    204: { description: 'Ended.' },
    ...refusals(...SESSION, ...STORE, 'request-invalid', 'mirror-unknown', ...codesOf('relay-')),
  },
})

const getMirrors = createRoute({
  method: 'get',
  path: '/v1/mirrors',
  operationId: 'listMirrors',
  tags: ['Mirroring'],
  summary: 'What of the wallet is mirrored',
  security: needsSession,
  middleware: [authenticated],
  responses: {
    200: {
      description: 'By network.',
      content: jsonContent(z.object({ mirrors: z.array(mirrorSchema) })),
    },
    ...refusals(...SESSION, ...STORE),
  },
})

export function registerMirrors(app: App): void {
  app.openapi(putMirror, async (context) => {
    const { mirrors } = context.get('services').relay
    const { network } = context.req.valid('param')
    const summary = await mirrors.put(sessionOf(context).wallet, network, context.req.valid('json'))
    return context.json(encode(summary), 200)
  })

  app.openapi(deleteMirror, async (context) => {
    const { mirrors } = context.get('services').relay
    await mirrors.remove(sessionOf(context).wallet, context.req.valid('param').network)
    return context.body(null, 204)
  })

  app.openapi(getMirrors, async (context) => {
    const { mirrors } = context.get('services').relay
    const list = await mirrors.list(sessionOf(context).wallet)
    return context.json({ mirrors: list.map(encode) }, 200)
  })
}

function encode({
  network,
  topics,
  createdAt,
  updatedAt,
  following,
}: MirrorSummary): z.output<typeof mirrorSchema> {
  return { network, topics, createdAt, updatedAt, following }
}
