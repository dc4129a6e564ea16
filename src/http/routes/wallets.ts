/** Wallets: what is public of them, and what each may change of its own. */
import { createRoute, z } from '@hono/zod-openapi'
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
import { base64url, encodeEndpoint } from '../encode.ts'
import {
  base64urlSchema,
  bytesSchema,
  endpointSchema,
  networkParameter,
  routeSchema,
  timeSchema,
  walletKeySchema,
  walletParameter,
} from '../schemas.ts'
import { authenticated, ownWallet } from '../session.ts'

const WALLET = codesOf('account-', 'identity-')

const prekeySchema = z
  .object({
    keyId: base64urlSchema,
    device: base64urlSchema,
    suite: z.number().int(),
    publicKey: base64urlSchema,
    notBefore: timeSchema,
    notAfter: timeSchema,
    bytes: base64urlSchema.openapi({ description: 'Canonical CBOR that the device signed.' }),
    signature: base64urlSchema,
  })
  .openapi('Prekey')

const keyEntrySchema = z
  .object({
    seq: z.number().int(),
    hash: base64urlSchema,
    entry: base64urlSchema.openapi({ description: 'Canonical CBOR; names the hash of the entry before.' }),
    signature: z.string().openapi({ description: 'The wallet’s signature, `0x…`.' }),
    account: z.string(),
    domain: z.string(),
    proof: z
      .object({
        kind: z.enum(['contract', 'counterfactual']),
        chainId: z.string(),
        blockNumber: z.number().int(),
      })
      .nullable()
      .openapi({
        description:
          'Where this gateway found a smart account’s signature to be good (ERC-1271, or ERC-6492 before it was deployed). Its word alone; whoever has a node of the chain can ask there.',
      }),
    action: z.enum(['add', 'revoke', 'recover', 'address']),
    device: base64urlSchema,
    notBefore: timeSchema,
    notAfter: timeSchema,
    receivedAt: timeSchema,
  })
  .openapi('KeyLogEntry')

const getWallet = createRoute({
  method: 'get',
  path: '/v1/wallets/{wallet}',
  operationId: 'getWallet',
  tags: ['Wallets'],
  summary: 'Where a wallet is reached, and by which devices',
  request: { params: walletParameter },
  responses: {
    200: {
      description: 'The wallet. One that never signed in here has no devices.',
      content: jsonContent(
        z.object({
          wallet: walletKeySchema,
          account: z
            .string()
            .nullable()
            .openapi({ description: 'CAIP-10 account that signed last, where known.' }),
          served: z.boolean().openapi({ description: 'The wallet has signed in at this gateway.' }),
          endpoints: z.array(endpointSchema),
          devices: z.array(z.object({ device: base64urlSchema, prekeys: z.number().int() })).openapi({
            description: 'Devices with valid prekeys. To be verified with the key log.',
          }),
        }),
      ),
    },
    ...refusals(...WALLET, ...STORE),
  },
})

const getKeys = createRoute({
  method: 'get',
  path: '/v1/wallets/{wallet}/keys',
  operationId: 'getWalletKeys',
  tags: ['Wallets'],
  summary: 'The key log and the prekeys of a wallet',
  description: 'Public, so that every client checks signatures itself and the gateway cannot swap a key.',
  request: { params: walletParameter },
  responses: {
    200: {
      description: 'Oldest entry first.',
      content: jsonContent(
        z.object({ wallet: walletKeySchema, log: z.array(keyEntrySchema), prekeys: z.array(prekeySchema) }),
      ),
    },
    ...refusals(...WALLET, ...STORE),
  },
})

const putEndpoint = createRoute({
  method: 'put',
  path: '/v1/wallets/{wallet}/endpoints/{network}',
  operationId: 'setEndpoint',
  tags: ['Wallets'],
  summary: 'Set where one’s own wallet is reached on a network',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: {
    params: walletParameter.extend(networkParameter.shape),
    body: jsonRequest(
      z.strictObject({
        address: z.string().min(1).max(512).optional().openapi({
          description: 'The network’s own address. Absent: the one that follows from the wallet.',
        }),
        enabled: z.boolean(),
      }),
    ),
  },
  responses: {
    200: { description: 'The endpoint as it now is.', content: jsonContent(endpointSchema) },
    ...refusals(
      ...SESSION,
      ...JSON_BODY,
      ...WALLET,
      ...STORE,
      ...codesOf('endpoint-taken', 'endpoint-address', 'network-not-enabled'),
      'wallet-mismatch',
    ),
  },
})

const putRoute = createRoute({
  method: 'put',
  path: '/v1/wallets/{wallet}/route',
  operationId: 'setRoute',
  tags: ['Wallets'],
  summary: 'Set how messages to one’s own wallet are routed',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: { params: walletParameter, body: jsonRequest(routeSchema) },
  responses: {
    200: { description: 'The route as it now is.', content: jsonContent(routeSchema) },
    ...refusals(
      ...SESSION,
      ...JSON_BODY,
      ...WALLET,
      ...STORE,
      'wallet-mismatch',
      'route-invalid',
      'network-not-enabled',
    ),
  },
})

const postPrekeys = createRoute({
  method: 'post',
  path: '/v1/prekeys',
  operationId: 'publishPrekeys',
  tags: ['Wallets'],
  summary: 'Publish prekeys of the session’s device',
  description: 'Known prekeys are left as they are, so publishing again is harmless.',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: {
    body: jsonRequest(
      z.strictObject({
        prekeys: z
          .array(
            z.strictObject({ bytes: bytesSchema({ max: 4096 }), signature: bytesSchema({ length: 64 }) }),
          )
          .min(1)
          .max(64),
      }),
    ),
  },
  responses: {
    200: {
      description: 'How many were taken.',
      content: jsonContent(z.object({ published: z.number().int() })),
    },
    ...refusals(...SESSION, ...JSON_BODY, ...STORE, ...codesOf('prekey-')),
  },
})

export function registerWallets(app: App): void {
  app.openapi(getWallet, async (context) => {
    const { identity } = context.get('services')
    const wallet = await identity.findWallet(context.req.valid('param').wallet)
    const [served, endpoints, keys] = await Promise.all([
      identity.isServed(wallet),
      identity.allEndpoints(wallet),
      identity.keys(wallet),
    ])
    const devices = new Map<string, number>()
    for (const { device } of keys.prekeys) {
      const name = base64url(device)
      devices.set(name, (devices.get(name) ?? 0) + 1)
    }
    return context.json(
      {
        wallet,
        account: keys.log.at(-1)?.account ?? null,
        served,
        endpoints: endpoints.map(encodeEndpoint),
        devices: [...devices].map(([device, prekeys]) => ({ device, prekeys })),
      },
      200,
    )
  })

  app.openapi(getKeys, async (context) => {
    const { identity } = context.get('services')
    const wallet = await identity.findWallet(context.req.valid('param').wallet)
    const { log, prekeys } = await identity.keys(wallet)
    return context.json(
      {
        wallet,
        log: log.map(({ seq, hash, entry, signature, account, domain, proof, action, device, ...times }) => ({
          seq,
          hash: base64url(hash),
          entry: base64url(entry),
          signature,
          account,
          domain,
          proof,
          action,
          device: base64url(device),
          notBefore: times.notBefore,
          notAfter: times.notAfter,
          receivedAt: times.receivedAt,
        })),
        prekeys: prekeys.map(
          ({ keyId, device, suite, publicKey, notBefore, notAfter, bytes, signature }) => ({
            keyId: base64url(keyId),
            device: base64url(device),
            suite,
            publicKey: base64url(publicKey),
            notBefore,
            notAfter,
            bytes: base64url(bytes),
            signature: base64url(signature),
          }),
        ),
      },
      200,
    )
  })

  app.openapi(putEndpoint, async (context) => {
    const { identity } = context.get('services')
    const { wallet, network } = context.req.valid('param')
    ownWallet(context, wallet)
    const { address, enabled } = context.req.valid('json')
    const input = address === undefined ? { network, enabled } : { network, enabled, address }
    return context.json(encodeEndpoint(await identity.setEndpoint(sessionOf(context), input)), 200)
  })

  app.openapi(putRoute, async (context) => {
    const { identity } = context.get('services')
    ownWallet(context, context.req.valid('param').wallet)
    const { overrides = [], ...rule } = context.req.valid('json')
    const resolved = await Promise.all(
      overrides.map(async (override) => ({ ...override, peer: await identity.findWallet(override.peer) })),
    )
    return context.json(await identity.setRoute(sessionOf(context), { ...rule, overrides: resolved }), 200)
  })

  app.openapi(postPrekeys, async (context) => {
    const { identity } = context.get('services')
    const { prekeys } = context.req.valid('json')
    return context.json({ published: await identity.publishPrekeys(sessionOf(context), prekeys) }, 200)
  })
}
