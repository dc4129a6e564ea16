/** Conversations of the unified inbox: what there is to read in them, and what the wallet chose for them. */
import { createRoute, z } from '@hono/zod-openapi'
import { directConversation, fromHex } from '../../envelope/index.ts'
import { peerIn } from '../../relay/index.ts'
import type { ConversationSummary } from '../../store/port.ts'
import { jsonBody } from '../body.ts'
import { type App, type AppContext, sessionOf } from '../context.ts'
import type { Cursors } from '../cursor.ts'
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
import { encodeConversationState, encodeInboxItem, hex } from '../encode.ts'
import { HttpError } from '../errors.ts'
import { PAGE_BYTES } from '../inbox-page.ts'
import {
  consentSchema,
  conversationStateSchema,
  cursorSchema,
  idSchema,
  inboxItemSchema,
  limitSchema,
  modeSchema,
  timeSchema,
  typeFilterSchema,
  walletKeySchema,
} from '../schemas.ts'
import { authenticated } from '../session.ts'

const WALLET = codesOf('account-', 'identity-')
const HEX_ID = /^[0-9a-f]{64}$/

const conversationSchema = conversationStateSchema
  .extend({
    peer: walletKeySchema.nullable().openapi({
      description:
        'The other wallet of a direct conversation, or the name that stands for a native sender without a wallet. Null for groups and for opaque parcels.',
    }),
    marks: z
      .array(
        z.object({
          via: z.string().openapi({ description: '`http`, `socket` or a network.', example: 'xmtp' }),
          mode: modeSchema,
        }),
      )
      .openapi({ description: 'Over what, and in which mode, its items came, each once.' }),
    items: z.number().int(),
    last: inboxItemSchema,
    from: walletKeySchema.openapi({ description: 'Sender of the last item.' }),
    lastId: idSchema,
    lastAt: timeSchema,
    lastCursor: cursorSchema,
  })
  .openapi('Conversation')

const conversationParameter = z.object({
  conversation: z.string().max(128).openapi({
    description:
      'Id of the conversation, or a wallet (wallet key, CAIP-10 account, EVM address): the direct conversation with it.',
    example: '0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1',
  }),
})

const settingsSchema = z
  .strictObject({
    unknownSenders: z.enum(['relay', 'hold']).openapi({
      description:
        'What is done with envelopes of unknown senders: `relay` them to the wallet’s endpoints, or `hold` them in the inbox until the sender is allowed.',
    }),
    sendReadReceipts: z.enum(['never', 'allowed', 'always']).openapi({
      description: 'Whom reading is told: nobody, allowed senders, or unknown ones too.',
    }),
  })
  .openapi('InboxSettings')

const listConversations = createRoute({
  method: 'get',
  path: '/v1/conversations',
  operationId: 'listConversations',
  tags: ['Inbox'],
  summary: 'Conversations, the one with the latest item first',
  description: [
    'All that two wallets write to each other is one conversation: sealed envelopes, and native messages of every network on which the wallet is enrolled. Each item says over what it came (`via`, `mode`, `origin`); `marks` sum it up.',
    '',
    'Without `consent`, all but denied ones. `consent=unknown` are the requests of strangers. A page of which few pass the filter may be empty though it is not the last: go on while `next` is not null.',
    '',
    'A conversation that gets an item while pages are read moves to the front, and is not met again. Read on from `at` of the first page (inbox or stream) to learn of it.',
  ].join('\n'),
  security: needsSession,
  middleware: [authenticated],
  request: {
    query: z.strictObject({
      before: cursorSchema.max(64).optional().openapi({ description: '`next` of the page before.' }),
      limit: limitSchema(50, 200),
      peer: z.string().max(128).optional().openapi({ description: 'Only the direct conversation with it.' }),
      type: typeFilterSchema
        .optional()
        .openapi({ description: 'Only those that have, or had, items of this content type.' }),
      unread: z
        .enum(['true', 'false'])
        .optional()
        .openapi({ description: '`true`: only those with unread items.' }),
      consent: consentSchema.optional(),
    }),
  },
  responses: {
    200: {
      description: 'The page. `next` is null on the last one.',
      content: jsonContent(
        z.object({
          conversations: z.array(conversationSchema),
          next: cursorSchema.nullable(),
          at: cursorSchema.openapi({ description: 'Place in the inbox when it was asked for.' }),
        }),
      ),
    },
    ...refusals(...SESSION, ...STORE, ...WALLET, ...codesOf('cursor-'), 'request-invalid'),
  },
})

const getConversation = createRoute({
  method: 'get',
  path: '/v1/conversations/{conversation}',
  operationId: 'getConversation',
  tags: ['Inbox'],
  summary: 'One conversation',
  security: needsSession,
  middleware: [authenticated],
  request: { params: conversationParameter },
  responses: {
    200: { description: 'The conversation.', content: jsonContent(conversationSchema) },
    ...refusals(...SESSION, ...STORE, ...WALLET, 'request-invalid', 'conversation-unknown'),
  },
})

const putConversation = createRoute({
  method: 'put',
  path: '/v1/conversations/{conversation}',
  operationId: 'setConversation',
  tags: ['Inbox'],
  summary: 'Mute, allow or deny a conversation',
  description: [
    'What is left out stays as it is. It holds for all devices of the wallet, and before there is a first item.',
    '',
    '`denied`: from now on what comes is kept, but neither relayed nor shown live nor listed, from that wallet in groups either. The sender is not told. `allowed` takes it back, and what was held back is sent on. `unknown` takes the choice back.',
  ].join('\n'),
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: {
    params: conversationParameter,
    body: jsonRequest(z.strictObject({ consent: consentSchema.optional(), muted: z.boolean().optional() })),
  },
  responses: {
    200: { description: 'As it now is.', content: jsonContent(conversationStateSchema) },
    ...refusals(...SESSION, ...JSON_BODY, ...STORE, ...WALLET, 'conversation-choices-full', 'relay-stopping'),
  },
})

const putRead = createRoute({
  method: 'put',
  path: '/v1/conversations/{conversation}/read',
  operationId: 'readConversation',
  tags: ['Inbox'],
  summary: 'Say how far a conversation was read',
  description:
    'Shared by all devices of the wallet; it never goes back. Senders are told as `sendReadReceipts` of the settings says: by the journey of the envelope, and by a read receipt on networks that have them where the item is a native message.',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: {
    params: conversationParameter,
    body: jsonRequest(
      z.strictObject({
        upTo: z.string().max(64).openapi({
          description: 'Id of an item of the conversation, or a cursor: everything up to it is read.',
        }),
      }),
    ),
  },
  responses: {
    200: { description: 'As it now is.', content: jsonContent(conversationStateSchema) },
    ...refusals(
      ...SESSION,
      ...JSON_BODY,
      ...STORE,
      ...WALLET,
      ...codesOf('cursor-'),
      'conversation-unknown',
      'envelope-not-found',
      'relay-stopping',
    ),
  },
})

const getSettings = createRoute({
  method: 'get',
  path: '/v1/inbox/settings',
  operationId: 'getInboxSettings',
  tags: ['Inbox'],
  summary: 'Settings of the whole inbox',
  security: needsSession,
  middleware: [authenticated],
  responses: {
    200: { description: 'The settings.', content: jsonContent(settingsSchema) },
    ...refusals(...SESSION, ...STORE),
  },
})

const putSettings = createRoute({
  method: 'put',
  path: '/v1/inbox/settings',
  operationId: 'setInboxSettings',
  tags: ['Inbox'],
  summary: 'Set what is done with unknown senders, and whom reading is told',
  security: needsSession,
  middleware: [authenticated, jsonBody()],
  request: { body: jsonRequest(settingsSchema) },
  responses: {
    200: { description: 'As they now are.', content: jsonContent(settingsSchema) },
    ...refusals(...SESSION, ...JSON_BODY, ...STORE, 'relay-stopping'),
  },
})

export function registerConversations(app: App): void {
  app.openapi(listConversations, async (context) => {
    const { store, cursors: source } = context.get('services')
    const { before, limit, peer, type, unread, consent } = context.req.valid('query')
    const { wallet } = sessionOf(context)
    const cursors = await source.load()
    const { last } = await store.inboxBounds(wallet)
    const place = before === undefined ? null : cursors.decode(before)
    if (before !== undefined && place === null)
      throw new HttpError('cursor-expired', 'The cursor belongs to another store')
    const page = await store.conversations({
      wallet,
      limit,
      maxBytes: PAGE_BYTES,
      before: place,
      ...(peer === undefined ? {} : { conversation: (await named(context, peer)).conversation }),
      ...(type === undefined ? {} : { contentType: type }),
      ...(consent === undefined ? {} : { consent }),
      unread: unread === 'true',
    })
    return context.json(
      {
        conversations: page.conversations.map((summary) => encodeConversation(wallet, summary, cursors)),
        next: page.next === null ? null : cursors.encode(page.next),
        at: cursors.encode(last),
      },
      200,
    )
  })

  app.openapi(getConversation, async (context) => {
    const { store, cursors: source } = context.get('services')
    const { wallet } = sessionOf(context)
    const { conversation } = await named(context, context.req.valid('param').conversation)
    const summary = await store.conversation(wallet, conversation)
    if (!summary) throw new HttpError('conversation-unknown', 'The wallet has no such conversation')
    return context.json(encodeConversation(wallet, summary, await source.load()), 200)
  })

  app.openapi(putConversation, async (context) => {
    const { relay, cursors: source } = context.get('services')
    const { consent, muted } = context.req.valid('json')
    const state = await relay.conversations.choose({
      wallet: sessionOf(context).wallet,
      ...(await named(context, context.req.valid('param').conversation)),
      ...(consent === undefined ? {} : { consent }),
      ...(muted === undefined ? {} : { muted }),
    })
    return context.json(encodeConversationState(state, await source.load()), 200)
  })

  app.openapi(putRead, async (context) => {
    const { relay, cursors: source } = context.get('services')
    const { wallet } = sessionOf(context)
    const { conversation } = await named(context, context.req.valid('param').conversation)
    const cursors = await source.load()
    const through = await placeOf(context, context.req.valid('json').upTo, conversation, cursors)
    const state = await relay.conversations.read(wallet, conversation, through)
    return context.json(encodeConversationState(state, cursors), 200)
  })

  app.openapi(getSettings, async (context) => {
    const { wallet } = sessionOf(context)
    return context.json(await context.get('services').relay.conversations.settings(wallet), 200)
  })

  app.openapi(putSettings, async (context) => {
    const { relay } = context.get('services')
    const settings = context.req.valid('json')
    return context.json(await relay.conversations.setSettings(sessionOf(context).wallet, settings), 200)
  })
}

/** The conversation that an id names, or the direct one with a wallet. */
async function named(
  context: AppContext,
  text: string,
): Promise<{ conversation: Uint8Array; peer: string | null }> {
  if (HEX_ID.test(text)) return { conversation: fromHex(text), peer: null }
  const peer = await context.get('services').identity.findWallet(text)
  return { conversation: directConversation(sessionOf(context).wallet, peer), peer }
}

/** Place in the inbox that an id or a cursor names. */
async function placeOf(
  context: AppContext,
  upTo: string,
  conversation: Uint8Array,
  cursors: Cursors,
): Promise<number> {
  const { store } = context.get('services')
  const { wallet } = sessionOf(context)
  if (HEX_ID.test(upTo)) {
    const envelope = await store.getEnvelope(fromHex(upTo))
    if (!envelope?.wallets.includes(wallet) || hex(envelope.conversation) !== hex(conversation)) {
      throw new HttpError('envelope-not-found', 'The conversation has no item with this id')
    }
    return envelope.seq
  }
  const place = cursors.decode(upTo)
  if (place === null || place > (await store.inboxBounds(wallet)).last) {
    throw new HttpError('cursor-expired', 'The cursor belongs to another store')
  }
  return place
}

function encodeConversation(
  wallet: string,
  summary: ConversationSummary,
  cursors: Cursors,
): z.output<typeof conversationSchema> {
  const { last, marks, items } = summary
  const item = encodeInboxItem(last, cursors)
  return {
    ...encodeConversationState(summary, cursors),
    peer: peerIn(wallet, last),
    marks,
    items,
    last: item,
    from: item.from,
    lastId: item.id,
    lastAt: item.receivedAt,
    lastCursor: item.cursor,
  }
}
