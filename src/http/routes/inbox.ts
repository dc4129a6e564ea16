/** The unified inbox: pages, conversations, live stream, receipts. */
import { upgradeWebSocket } from '@hono/node-server'
import { createRoute, z } from '@hono/zod-openapi'
import type { WebSocket } from 'ws'
import { fromHex } from '../../envelope/index.ts'
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
import { encodeInboxItem } from '../encode.ts'
import { HttpError } from '../errors.ts'
import { readInboxPage } from '../inbox-page.ts'
import { receiptsSchema } from '../receipts.ts'
import { cursorSchema, idSchema, inboxItemSchema, limitSchema, typeFilterSchema } from '../schemas.ts'
import { authenticated, maybeAuthenticated } from '../session.ts'
import { serveSocket } from '../socket.ts'
import { serveEvents } from '../sse.ts'

const getInbox = createRoute({
  method: 'get',
  path: '/v1/inbox',
  operationId: 'listInbox',
  tags: ['Inbox'],
  summary: 'One page of the inbox',
  description: [
    'Holds each envelope once, over whichever networks it came, sent ones included. What the wallet denied is left out, unless `conversation` asks for it.',
    '',
    '`order=oldest`, the default: from `after` on. `next` is where the next page begins, and where a stream goes on; keep asking until `items` is empty and `complete`. `order=newest`: backwards from `before`; `next` is null at the beginning of the inbox. Pages neither skip nor repeat what arrives meanwhile.',
    '',
    'A page of large envelopes, or with a filter that few pass, ends before `limit`, and may be empty though it is not the last.',
  ].join('\n'),
  security: needsSession,
  middleware: [authenticated],
  request: {
    query: z.strictObject({
      order: z.enum(['oldest', 'newest']).default('oldest'),
      after: cursorSchema.max(64).optional().openapi({ description: 'With `oldest`.' }),
      before: cursorSchema.max(64).optional().openapi({ description: 'With `newest`.' }),
      limit: limitSchema(50, 200),
      conversation: idSchema.optional(),
      type: typeFilterSchema.optional(),
      from: z.string().max(128).optional().openapi({
        description: 'Sender: wallet key, CAIP-10 account or EVM address.',
      }),
    }),
  },
  responses: {
    200: {
      description: 'The page.',
      content: jsonContent(
        z.object({
          items: z.array(inboxItemSchema),
          next: cursorSchema.nullable(),
          complete: z.boolean().openapi({ description: 'There was nothing more when it was asked for.' }),
        }),
      ),
    },
    ...refusals(...SESSION, ...STORE, ...codesOf('cursor-', 'account-', 'identity-'), 'request-invalid'),
  },
})

const getStream = createRoute({
  method: 'get',
  path: '/v1/stream',
  operationId: 'streamInbox',
  tags: ['Inbox'],
  summary: 'The inbox as it grows, as server-sent events',
  description: [
    'Read it with `fetch`, so that the token stays in a header: tokens never stand in URLs.',
    '',
    '- `ready` `{recovered, cursor}` comes first. `recovered: false`: the cursor could not be resumed; read the inbox anew (`GET /v1/inbox`), the stream goes on from `cursor`, which is now.',
    '- `envelope`: an inbox item. `id:` is its cursor.',
    '- `conversation` `{conversation, consent, muted, unread, readThrough}`: as it now is, after the wallet read in it or chose for it, on whichever device. It has no `id`, and is not sent again: read `GET /v1/conversations` after a gap.',
    '- `shutdown`: the gateway goes down; connect again after `retry` milliseconds.',
    '- `ended` `{code}`: the session has ended; sign in again.',
    '',
    'Comment lines are heartbeats. Send the last `id` as `Last-Event-ID` (or `after`) to go on without gap and without repeat. A reader that falls too far behind is cut off and can resume in the same way.',
  ].join('\n'),
  security: needsSession,
  middleware: [authenticated],
  request: {
    query: z.strictObject({ after: cursorSchema.max(64).optional() }),
    headers: z.object({ 'last-event-id': cursorSchema.max(64).optional() }),
  },
  responses: {
    200: { description: 'The stream.', content: { 'text/event-stream': { schema: z.string() } } },
    ...refusals(
      ...SESSION,
      ...STORE,
      'cursor-invalid',
      'request-invalid',
      'streams-exhausted',
      'shutting-down',
    ),
  },
})

const getSocket = createRoute({
  method: 'get',
  path: '/v1/socket',
  operationId: 'openSocket',
  tags: ['Inbox'],
  summary: 'Submit and receive for many wallets over one WebSocket',
  description: [
    'Binary messages, each a CBOR array `[kind, requestId, payload]`. `requestId` is an unsigned integer that the answer repeats; 0 in what comes unasked. Payloads are maps with the names of the JSON API; ids, envelopes and certificates are byte strings.',
    '',
    '| kind | from | payload |',
    '|---|---|---|',
    '| 1 attach | client | `{token, after: cursor or null}` |',
    '| 2 detach | client | `{wallet}` |',
    '| 3 submit | client | `{wallet, sealed}` |',
    '| 4 receipts | client | `{wallet, receipts: [{id, network, kind, at}]}` |',
    '| 17 attached | gateway | `{wallet, recovered, cursor}` |',
    '| 18 detached | gateway | `{wallet}` |',
    '| 19 accepted | gateway | `{id, duplicate, deliveries}`: durable |',
    '| 20 noted | gateway | `{count}` |',
    '| 31 refused | gateway | `{code, status, title, detail, fix}` |',
    '| 32 item | gateway | an inbox item with `wallet` |',
    '| 33 ended | gateway | `{wallet, code}` |',
    '| 34 conversation | gateway | `{wallet, conversation, consent, muted, unread, readThrough}`: as it now is |',
    '',
    'With an `Authorization` header the wallet of that session is attached at once (answered with requestId 0), from the cursor `after`; browsers attach with kind 1. Submissions are answered in the order in which they are done. The gateway stops reading while too many are under way, and closes with 1013 when too much waits for a slow reader: connect again and attach with the last cursors. 1001: it shuts down; 4000: no wallet was attached for too long.',
  ].join('\n'),
  security: [{}, ...needsSession],
  middleware: [maybeAuthenticated],
  request: { query: z.strictObject({ after: cursorSchema.max(64).optional() }) },
  responses: {
    101: { description: 'Switching to WebSocket.' },
    ...refusals('unauthenticated', 'session-invalid', 'request-invalid', 'upgrade-required', 'shutting-down'),
  },
})

const postReceipts = createRoute({
  method: 'post',
  path: '/v1/receipts',
  operationId: 'sendReceipts',
  tags: ['Inbox'],
  summary: 'Say what arrived or was read, and over which network',
  description:
    'Feeds the journey and the ranking of networks. Receipts for envelopes that are not in the inbox are not counted.',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: { body: jsonRequest(z.strictObject({ receipts: receiptsSchema })) },
  responses: {
    200: { description: 'How many were noted.', content: jsonContent(z.object({ noted: z.number().int() })) },
    ...refusals(...SESSION, ...JSON_BODY, ...STORE),
  },
})

export function registerInbox(app: App): void {
  app.openapi(getInbox, async (context) => {
    const { order, after, before, limit, conversation, type, from } = context.req.valid('query')
    const { store, cursors: source, identity } = context.get('services')
    const { wallet } = sessionOf(context)
    const misplaced = order === 'newest' ? after : before
    if (misplaced !== undefined) {
      throw new HttpError('request-invalid', '`after` goes with oldest first, `before` with newest first')
    }
    const cursors = await source.load()
    const cursor = order === 'newest' ? before : after
    const sender = from === undefined ? undefined : await identity.findWallet(from)
    const { last } = await store.inboxBounds(wallet)
    const start = order === 'newest' ? last + 1 : 0
    const place = cursor === undefined ? start : cursors.decode(cursor)
    if (place === null || (cursor !== undefined && place > last))
      throw new HttpError('cursor-expired', 'The cursor belongs to another store')
    const { items, through, complete } = await readInboxPage(store, {
      wallet,
      order,
      after: place,
      limit,
      conversation: conversation ? fromHex(conversation) : null,
      ...(type === undefined ? {} : { contentType: type }),
      ...(sender === undefined ? {} : { from: sender }),
    })
    // The last page has seen everything that was there when it was asked for.
    const end = order === 'newest' ? null : Math.max(last, through)
    const next = complete ? end : through
    return context.json(
      {
        items: items.map((item) => encodeInboxItem(item, cursors)),
        next: next === null ? null : cursors.encode(next),
        complete,
      },
      200,
    )
  })

  app.openapi(getStream, async (context) => {
    const after = context.req.valid('header')['last-event-id'] ?? context.req.valid('query').after
    return serveEvents(context, after)
  })

  app.openAPIRegistry.registerPath(getSocket)
  app.get(
    getSocket.getRoutingPath(),
    maybeAuthenticated,
    upgradeWebSocket((context) => {
      const services = context.get('services')
      const token = context.get('token')
      const after = context.req.query('after') ?? null
      return {
        onOpen(_event, { raw }) {
          const first = token === undefined ? null : { token, after }
          serveSocket(raw as unknown as WebSocket, services, {
            id: context.get('requestId'),
            address: context.get('address'),
            first,
            connection: context.env.incoming?.socket ?? null,
          })
        },
      }
    }),
    () => {
      throw new HttpError('upgrade-required', 'This route speaks WebSocket', {
        headers: { Upgrade: 'websocket' },
      })
    },
  )

  app.openapi(postReceipts, async (context) => {
    const { receipts } = context.req.valid('json')
    const parsed = receipts.map((receipt) => ({ ...receipt, id: fromHex(receipt.id) }))
    return context.json(
      { noted: await context.get('services').relay.receipts(sessionOf(context).wallet, parsed) },
      200,
    )
  })
}
