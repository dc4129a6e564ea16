/** Sending, requests and what is kept of them. SANDBOX. */
import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { canonicalDid } from '../../did.ts'
import { bodyOf, didParameter, Refusal, requireDid, requirePgpProof, type Service } from '../service.ts'
import { type Chat, hasAccepted, type Message, newDirectChat } from '../state.ts'
import { rotateSecret } from './groups.ts'

/** Most messages that one answer of the history holds. */
const LONGEST_HISTORY_PAGE = 30

const sent = z.looseObject({
  fromDID: z.string(),
  toDID: z.string(),
  fromCAIP10: z.string(),
  toCAIP10: z.string(),
  messageType: z.string(),
  encType: z.string(),
  verificationProof: z.string(),
})
const answered = z.looseObject({
  fromDID: z.string(),
  toDID: z.string(),
  status: z.string().optional(),
  verificationProof: z.string(),
  encryptedSecret: z.string().nullish(),
})

export function mountMessages(app: Hono, service: Service): void {
  const { state, events } = service

  /** `pgpv3`: what the sender's key has signed. The recipient is not in it: the SDK writes the sender twice. */
  function signedPartOf(body: z.output<typeof sent>): unknown {
    return {
      fromDID: body.fromDID,
      toDID: body.fromDID,
      fromCAIP10: body.fromCAIP10,
      toCAIP10: body.toCAIP10,
      messageObj: body.messageObj,
      messageType: body.messageType,
      encType: body.encType,
      sessionKey: body.sessionKey,
      encryptedSecret: body.encryptedSecret,
    }
  }

  function chatFor(from: string, to: string): Chat {
    const existing = state.findChat(from, to)
    if (existing) return existing
    const peer = canonicalDid(to)
    if (peer === null) throw new Refusal(404, 'group not found')
    const chat = newDirectChat(from, peer, service.now())
    state.ensureUser(peer)
    state.createChat(chat)
    return chat
  }

  async function send(context: Context): Promise<Response> {
    const body = await bodyOf(context, sent)
    const from = requireDid(body.fromDID)
    const sender = state.users.get(from)
    if (!sender) throw new Refusal(404, 'sender not found')
    const value = body.verificationProof
    await requirePgpProof(service, { did: from, types: ['pgpv3'], value, body: signedPartOf(body) })
    const chat = chatFor(from, body.toDID)
    if (chat.group && !chat.group.info.isPublic && !hasAccepted(chat, from)) {
      throw new Refusal(403, 'not a member')
    }
    const message = state.append(chat, body)
    state.users.set(from, { ...sender, msgSent: sender.msgSent + 1 })
    const targets = chat.group
      ? Object.values(chat.group.members).flatMap(({ did, intent }) => (intent ? [did] : []))
      : chat.participants
    events.message(message, chat, targets)
    if (service.takeLostAnswer()) throw new LostAnswer()
    return context.json(message)
  }
  app.post('/v1/chat/request', send)
  app.post('/v1/chat/message', send)

  app.put('/v1/chat/request/accept', async (context) => {
    const body = await bodyOf(context, answered)
    const group = state.chats.get(body.toDID)
    const { fromDID, toDID, status, encryptedSecret } = body
    if (group?.group) {
      const member = requireDid(fromDID)
      const plain = { fromDID, toDID, status }
      const signed = body.verificationProof.startsWith('pgpv2:') ? { ...plain, encryptedSecret } : plain
      const types = ['pgp', 'pgpv2']
      await requirePgpProof(service, { did: member, types, value: body.verificationProof, body: signed })
      join(group, member, body)
      return context.json(group.chatId)
    }
    const actor = requireDid(toDID)
    const signed = { fromDID, toDID, status }
    await requirePgpProof(service, {
      did: actor,
      types: ['pgp'],
      value: body.verificationProof,
      body: signed,
    })
    const chat = requireRequest(actor, fromDID)
    if (!chat.intents.includes(actor)) chat.intents.push(actor)
    state.chats.set(chat.chatId, chat)
    announce('Approve', chat, actor, requireDid(fromDID), body.verificationProof)
    return context.json(chat.intents.join('+'))
  })

  app.put('/v1/chat/request/reject', async (context) => {
    const body = await bodyOf(context, answered)
    const { fromDID, toDID } = body
    const group = state.chats.get(toDID)
    const actor = requireDid(group?.group ? fromDID : toDID)
    const proof = {
      did: actor,
      types: ['pgp', 'pgpv2'],
      value: body.verificationProof,
      body: { fromDID, toDID },
    }
    await requirePgpProof(service, proof)
    if (group?.group) {
      delete group.group.members[actor]
      state.chats.set(group.chatId, group)
      return context.body(null, 204)
    }
    const chat = requireRequest(actor, fromDID)
    state.removeChat(chat)
    announce('Reject', chat, actor, requireDid(fromDID), body.verificationProof)
    return context.json(chat.intents.join('+'))
  })

  function requireRequest(actor: string, peer: string): Chat {
    const chat = state.findChat(actor, requireDid(peer))
    if (!chat) throw new Refusal(404, 'no request')
    return chat
  }

  function join(chat: Chat, member: string, body: z.output<typeof answered>): void {
    const group = chat.group
    const known = group?.members[member]
    if (!group || !known) throw new Refusal(403, 'not invited')
    known.intent = true
    rotateSecret(state, group, body.encryptedSecret)
    state.createChat(chat)
    for (const { did, intent } of Object.values(group.members)) {
      if (!intent) continue
      events.chat(did, 'CHAT_GROUPS', {
        eventType: 'joinGroup',
        chatId: chat.chatId,
        from: member,
        to: [member],
        timestamp: service.now(),
        messageOrigin: did === member ? 'self' : 'other',
        verificationProof: body.verificationProof,
      })
    }
  }

  function announce(
    category: 'Approve' | 'Reject',
    chat: Chat,
    actor: string,
    peer: string,
    verificationProof: string,
  ): void {
    for (const did of [actor, peer]) {
      events.chat(did, 'CHATS', {
        messageCategory: category,
        fromCAIP10: actor,
        fromDID: actor,
        toCAIP10: peer,
        toDID: peer,
        timestamp: service.now(),
        chatId: chat.chatId,
        hasIntent: category === 'Approve',
        isGroup: false,
        messageOrigin: did === actor ? 'self' : 'other',
        verificationProof,
      })
    }
  }

  app.get('/v1/chat/users/:did/conversations/:id/hash', (context) => {
    const self = didParameter(context, 'did')
    const chat = state.findChat(self, decodeURIComponent(context.req.param('id')))
    if (!chat) return context.json({ threadHash: null, intent: false })
    return context.json({ threadHash: chat.threadHash, intent: hasAccepted(chat, self) })
  })

  app.get('/v1/chat/conversationhash/:cid', (context) => {
    const limit = Math.min(Number(context.req.query('fetchLimit') ?? 10), LONGEST_HISTORY_PAGE)
    const found: Message[] = []
    let next: string | null = context.req.param('cid')
    while (next !== null && found.length < limit) {
      const message: Message | undefined = state.messages.get(next)
      if (!message) break
      found.push(message)
      next = message.link
    }
    return context.json(found)
  })

  app.get('/v1/ipfs/:cid', (context) => {
    const message = state.messages.get(context.req.param('cid'))
    if (!message) throw new Refusal(404, 'cid not found')
    return context.json(message)
  })
}

/** The call was carried out, and its answer is to be lost on the way. */
export class LostAnswer extends Error {}
