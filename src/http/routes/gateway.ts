/** What the gateway and its networks are, and credentials to join a network. */
import { createRoute, z } from '@hono/zod-openapi'
import { type App, sessionOf } from '../context.ts'
import { jsonContent, needsSession, refusals, SESSION, STORE } from '../documentation.ts'
import { base64url } from '../encode.ts'
import { HttpError } from '../errors.ts'
import { base64urlSchema, networkParameter, networkSchema, timeSchema } from '../schemas.ts'
import { authenticated } from '../session.ts'

const stateSchema = z.enum([
  'starting',
  'connecting',
  'backfilling',
  'connected',
  'transientDisconnect',
  'badCredentials',
  'loggedOut',
  'stopped',
])

const networkStatusSchema = z
  .object({
    network: networkSchema,
    title: z.string(),
    state: stateSchema,
    since: timeSchema,
    reason: z.string().nullable(),
    userAction: z
      .string()
      .nullable()
      .openapi({ description: 'What an operator has to do, where something has to be done.' }),
    sandbox: z.boolean().openapi({ description: 'A local stand-in, not the real network.' }),
    address: z.string().nullable().openapi({ description: 'The gateway’s own address on the network.' }),
    capabilities: z.record(z.string(), z.union([z.boolean(), z.number()])),
    limits: z.object({ maxFrameBytes: z.number().int() }),
    enrolment: z
      .object({
        meaning: z.string().openapi({ description: 'What a wallet agrees to that enrols.' }),
        handover: z.enum(['none', 'key']),
        groups: z.boolean(),
        notifications: z
          .object({ meaning: z.string() })
          .nullable()
          .openapi({ description: 'What a wallet agrees to that enrols for notifications alone.' }),
        contents: z
          .record(z.string(), z.enum(['native', 'converted', 'fallback', 'dropped']))
          .nullable()
          .openapi({
            description:
              'What the network’s own clients make of contents, by kind. Null: each arrives as it is.',
          }),
      })
      .nullable()
      .openapi({ description: 'Hop mode on this network; null where there is none.' }),
    mirroring: z
      .boolean()
      .openapi({ description: 'Wallets can have its own messages mirrored: PUT /v1/mirrors/{network}.' }),
    description: z.record(z.string(), z.unknown()).openapi({
      description: 'What a wallet’s own client needs to join the network beside this gateway. Public.',
    }),
  })
  .openapi('Network')

const gateway = createRoute({
  method: 'get',
  path: '/v1/gateway',
  operationId: 'getGateway',
  tags: ['Gateway'],
  summary: 'Who this gateway is',
  responses: {
    200: {
      description: 'The gateway.',
      content: jsonContent(
        z.object({
          id: z.string(),
          version: z.string(),
          publicKey: base64urlSchema.openapi({
            description:
              'Ed25519. The id follows from it, and it signs what the gateway attests in hop mode.',
          }),
          encryptionKey: base64urlSchema.nullable().openapi({
            description:
              'X25519, for what the gateway itself has to read: hop requests and keys handed over.',
          }),
          domain: z.string().openapi({ description: 'Domain of the texts that wallets sign here.' }),
          sandbox: z.boolean().openapi({ description: 'Some network is a local stand-in.' }),
          startedAt: timeSchema,
          endpoints: z.array(z.object({ network: networkSchema, address: z.string() })),
        }),
      ),
    },
    ...refusals(),
  },
})

const networkList = createRoute({
  method: 'get',
  path: '/v1/networks',
  operationId: 'listNetworks',
  tags: ['Gateway'],
  summary: 'The networks that this gateway has joined',
  responses: {
    200: {
      description: 'In the configured order.',
      content: jsonContent(z.object({ networks: z.array(networkStatusSchema) })),
    },
    ...refusals(),
  },
})

const credentials = createRoute({
  method: 'post',
  path: '/v1/networks/{network}/credentials',
  operationId: 'issueCredentials',
  tags: ['Gateway'],
  summary: 'Credentials with which the wallet’s own client joins a network',
  description:
    'For `trtc`: `{sdkAppId, userId, userSig, expiresAt}`. Short-lived; ask again before they expire.',
  security: needsSession,
  middleware: [authenticated],
  request: { params: networkParameter },
  responses: {
    200: {
      description: 'Secret; only for the wallet’s own client.',
      content: jsonContent(z.record(z.string(), z.union([z.string(), z.number()]))),
    },
    ...refusals(
      ...SESSION,
      ...STORE,
      'request-invalid',
      'network-unknown',
      'credentials-unsupported',
      'endpoint-missing',
      'network-failed',
      'network-unavailable',
      'network-rate-limited',
    ),
  },
})

/** How long an adapter may take to answer a call of the API. */
const CALL_TIMEOUT_MS = 15_000

export function registerGateway(app: App): void {
  app.openapi(gateway, (context) => {
    const services = context.get('services')
    const { id, version, publicKey, encryptionKey, domain, sandbox } = services.gateway
    const endpoints = services.networks
      .list()
      .flatMap(({ network, address }) => (address === null ? [] : [{ network, address }]))
    const { startedAt } = services
    return context.json(
      {
        id,
        version,
        publicKey: base64url(publicKey),
        encryptionKey: encryptionKey && base64url(encryptionKey),
        domain,
        sandbox,
        startedAt,
        endpoints,
      },
      200,
    )
  })

  app.openapi(networkList, (context) => {
    const { networks, enrolments } = context.get('services')
    const termsOf = (network: string) => {
      const facet = enrolments && networks.get(network)?.adapter.enrolment
      if (!facet) return null
      const { meaning, handover, groups } = facet.terms
      const notifications = facet.notifications ? { meaning: facet.notifications.meaning } : null
      return {
        meaning,
        handover,
        groups,
        notifications,
        contents: facet.contents ? { ...facet.contents.kinds } : null,
      }
    }
    const list = networks.list().map((status) => ({
      network: status.network,
      title: status.title,
      state: status.state,
      since: status.since,
      reason: status.reason ?? null,
      userAction: status.userAction ?? null,
      sandbox: status.sandbox,
      address: status.address,
      capabilities: { ...status.capabilities },
      limits: status.limits,
      enrolment: termsOf(status.network),
      mirroring: networks.get(status.network)?.adapter.opaque !== undefined,
      description: status.description,
    }))
    return context.json({ networks: list }, 200)
  })

  app.openapi(credentials, async (context) => {
    const { identity, networks } = context.get('services')
    const { network } = context.req.valid('param')
    const { wallet } = sessionOf(context)
    const running = networks.get(network)
    if (!running) throw new HttpError('network-unknown', `This gateway has not joined ${network}`)
    const facet = running.adapter.credentials
    if (!facet)
      throw new HttpError('credentials-unsupported', `${network} needs no credentials from the gateway`)
    const endpoint = (await identity.endpoints(wallet)).find((candidate) => candidate.network === network)
    if (!endpoint) throw new HttpError('endpoint-missing', `The wallet has no enabled endpoint on ${network}`)
    const signal = AbortSignal.timeout(CALL_TIMEOUT_MS)
    return context.json(await facet.issue({ wallet, address: endpoint.address }, signal), 200)
  })
}
