/** What the stand-in remembers: users, chats, messages, channels. SANDBOX. */
import { createHash, randomBytes } from 'node:crypto'
import { base32Lower } from '../../../src/envelope/index.ts'
import { canonicalDid } from '../did.ts'
import { sha256 } from './proofs.ts'
import { openTables, type Table } from './tables.ts'

export type Json = Record<string, unknown>

export interface User {
  did: string
  wallets: string
  publicKey: string
  encryptedPrivateKey: string
  verificationProof: string
  msgSent: number
  maxMsgPersisted: number
  origin: string | null
  profile: {
    name: string | null
    desc: string | null
    picture: string | null
    profileVerificationProof: string | null
    blockedUsersList: string[]
  }
}

export interface Member {
  did: string
  role: 'ADMIN' | 'MEMBER'
  /** Has joined, not only been invited. */
  intent: boolean
}

export interface Group {
  members: Record<string, Member>
  info: Json & { isPublic: boolean }
  sessionKey: string | null
  encryptedSecret: string | null
}

export interface Chat {
  chatId: string
  /** The two DIDs of a direct chat. */
  participants: string[]
  /** Who has accepted a direct chat. */
  intents: string[]
  intentSentBy: string
  intentTimestamp: string
  /** cid of the latest message. */
  threadHash: string | null
  group: Group | null
}

export type Message = Json & {
  cid: string
  chatId: string
  /** cid of the message before. */
  link: string | null
  timestamp: number
  fromDID: string
  toDID: string
}

export interface FeedItem {
  to: string
  channel: string
  spam: boolean
  item: Json
}

export interface State {
  users: Table<User>
  chats: Table<Chat>
  messages: Table<Message>
  channels: Table<Json & { channel: string; name: string; url: string; icon: string }>
  /** Subscribers' addresses by the channel's address. */
  subscribers: Table<string[]>
  feeds: Table<FeedItem>
  sessionSecrets: Table<string>
  /** Makes the user without keys that the service makes for whoever is written to. */
  ensureUser(did: string): User
  /** The chat of two DIDs, or the one that an id names. */
  findChat(self: string, other: string): Chat | undefined
  chatsOf(did: string): Chat[]
  createChat(chat: Chat): void
  removeChat(chat: Chat): void
  append(chat: Chat, body: Json & { fromDID: string; toDID: string }): Message
  close(): void
}

export interface StateOptions {
  /** SQLite file; null for memory. */
  file: string | null
  now(): number
}

export function openState({ file, now }: StateOptions): State {
  const tables = openTables(file)
  const users: Table<User> = tables.open('users')
  const chats: Table<Chat> = tables.open('chats')
  const messages: Table<Message> = tables.open('messages')
  const direct = new Map<string, string>()
  const byMember = new Map<string, Set<string>>()
  for (const chat of chats.values()) index(chat)

  function index(chat: Chat): void {
    if (!chat.group) direct.set(pairKey(chat.participants), chat.chatId)
    for (const did of membersOf(chat)) {
      const own = byMember.get(did) ?? new Set()
      byMember.set(did, own.add(chat.chatId))
    }
  }

  return {
    users,
    chats,
    messages,
    channels: tables.open('channels'),
    subscribers: tables.open('subscribers'),
    feeds: tables.open('feeds'),
    sessionSecrets: tables.open('sessionSecrets'),
    ensureUser(did) {
      const existing = users.get(did)
      if (existing) return existing
      const user = blankUser(did)
      users.set(did, user)
      return user
    },
    findChat(self, other) {
      const byId = chats.get(other)
      if (byId) return byId
      const peer = canonicalDid(other)
      return peer === null ? undefined : chats.get(direct.get(pairKey([self, peer])) ?? '')
    },
    chatsOf(did) {
      const found = [...(byMember.get(did) ?? [])].flatMap((chatId) => chats.get(chatId) ?? [])
      const lastActive = (chat: Chat) =>
        messages.get(chat.threadHash ?? '')?.timestamp ?? Date.parse(chat.intentTimestamp)
      return found.sort((left, right) => lastActive(right) - lastActive(left))
    },
    createChat(chat) {
      chats.set(chat.chatId, chat)
      index(chat)
    },
    removeChat(chat) {
      chats.delete(chat.chatId)
      direct.delete(pairKey(chat.participants))
      for (const did of membersOf(chat)) byMember.get(did)?.delete(chat.chatId)
    },
    append(chat, body) {
      const content = { ...body, timestamp: now(), link: chat.threadHash }
      const cid = cidOf({ ...content, position: messages.size })
      const message: Message = { ...content, cid, chatId: chat.chatId }
      messages.set(cid, message)
      chat.threadHash = cid
      chats.set(chat.chatId, chat)
      return message
    },
    close: () => tables.close(),
  }
}

/** Everyone who sees a chat: both sides, or the members of a group, invited ones too. */
export function membersOf(chat: Chat): string[] {
  return chat.group ? Object.keys(chat.group.members) : chat.participants
}

/** Whether a chat stands among one's chats rather than one's requests. */
export function hasAccepted(chat: Chat, did: string): boolean {
  return chat.group ? (chat.group.members[did]?.intent ?? false) : chat.intents.includes(did)
}

export function newDirectChat(from: string, to: string, now: number): Chat {
  return {
    chatId: sha256(pairKey([from, to]) + randomBytes(8).toString('hex')),
    participants: [from, to],
    intents: [from],
    intentSentBy: from,
    intentTimestamp: new Date(now).toISOString(),
    threadHash: null,
    group: null,
  }
}

export function pairKey(dids: string[]): string {
  return dids.toSorted().join('_')
}

function blankUser(did: string): User {
  return {
    did,
    wallets: did,
    publicKey: '',
    encryptedPrivateKey: '',
    verificationProof: '',
    msgSent: 0,
    maxMsgPersisted: 1000,
    origin: null,
    profile: { name: null, desc: null, picture: null, profileVerificationProof: null, blockedUsersList: [] },
  }
}

/** In the form of the service's ids (CIDv1, dag-cbor, SHA-256), but over the JSON text. */
function cidOf(value: unknown): string {
  const digest = createHash('sha256').update(JSON.stringify(value)).digest()
  return `b${base32Lower(Uint8Array.from([1, 0x71, 0x12, 0x20, ...digest]))}`
}
