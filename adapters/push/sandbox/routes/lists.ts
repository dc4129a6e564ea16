/** Lists of chats and requests, as anyone may read them: the service asks for no credentials. SANDBOX. */
import type { Hono } from 'hono'
import { didParameter, page, type Service } from '../service.ts'
import { type Chat, hasAccepted, type Json, membersOf, pairKey } from '../state.ts'
import { groupView } from './groups.ts'

/** In place of the latest message of a chat that has none. */
const noMessage = {
  encType: 'PlainText',
  encryptedSecret: '',
  fromCAIP10: '',
  fromDID: '',
  link: '',
  messageContent: '',
  messageType: '',
  sigType: '',
  signature: '',
  toCAIP10: '',
  toDID: '',
}

export function mountLists(app: Hono, service: Service): void {
  const { state } = service

  function feedOf(chat: Chat, self: string): Json {
    const peer = chat.group ? null : (chat.participants.find((did) => did !== self) ?? self)
    const user = peer === null ? undefined : state.users.get(peer)
    const { group } = chat
    const accepted = group
      ? Object.values(group.members).flatMap(({ did, intent }) => (intent ? [did] : []))
      : chat.intents
    return {
      msg: state.messages.get(chat.threadHash ?? '') ?? noMessage,
      did: peer,
      wallets: peer,
      profilePicture: user?.profile.picture ?? null,
      name: user?.profile.name ?? null,
      publicKey: user?.publicKey ?? null,
      about: user?.profile.desc ?? null,
      threadhash: chat.threadHash,
      intent: accepted.join('+'),
      intentSentBy: chat.intentSentBy,
      intentTimestamp: chat.intentTimestamp,
      combinedDID: pairKey(membersOf(chat)),
      cid: chat.threadHash,
      chatId: chat.chatId,
      ...(group ? { groupInformation: groupView(service, chat) } : {}),
    }
  }

  app.get('/v1/chat/users/:did/chats', (context) => {
    const self = didParameter(context, 'did')
    const chats = state.chatsOf(self).filter((chat) => hasAccepted(chat, self))
    return context.json({ chats: page(context, chats).map((chat) => feedOf(chat, self)) })
  })

  app.get('/v1/chat/users/:did/requests', (context) => {
    const self = didParameter(context, 'did')
    const requests = state.chatsOf(self).filter((chat) => !hasAccepted(chat, self))
    return context.json({ requests: page(context, requests).map((chat) => feedOf(chat, self)) })
  })

  app.get('/v1/chat/:recipient/address/:address', (context) => {
    const self = didParameter(context, 'address')
    const recipient = decodeURIComponent(context.req.param('recipient'))
    const chat = state.findChat(self, recipient)
    if (!chat) {
      return context.json({
        meta: { group: false, encrypted: true, visibility: false, groupInfo: null },
        list: 'UNINITIALIZED',
        participants: [],
        chatId: null,
        recipient,
      })
    }
    const isPublic = chat.group?.info.isPublic ?? false
    const participants = membersOf(chat)
    const member = participants.includes(self)
    return context.json({
      meta: {
        group: chat.group !== null,
        encrypted: !isPublic,
        visibility: true,
        groupInfo: chat.group ? { public: isPublic } : null,
      },
      list: member ? (hasAccepted(chat, self) ? 'CHATS' : 'REQUESTS') : 'UNINITIALIZED',
      participants,
      chatId: chat.chatId,
      recipient,
    })
  })
}
