/** Conversations of the unified inbox: listing them, and what the wallet reads in them and chooses for them. */
import type { Api } from './api.ts'
import type { Inbox, InboxItemAnswer } from './inbox.ts'
import type { InboxEntry } from './types.ts'

/** `unknown` until the wallet chooses, or writes in the conversation. */
export type Consent = 'unknown' | 'allowed' | 'denied'

/** What the devices of a wallet share of a conversation. */
export interface ConversationState {
  /** Id, 64 hex characters. */
  conversation: string
  consent: Consent
  muted: boolean
  /** Received items that were not read; 100 stands for 100 or more. */
  unread: number
  /** Inbox cursor up to which it was read; null: nothing was. */
  readThrough: string | null
}

export interface Conversation extends ConversationState {
  /**
   * The other wallet of a direct conversation, whatever networks it was written over; for a native sender without a wallet the
   * name that stands for it. Null for groups and opaque parcels.
   */
  peer: string | null
  /** Over what (`http`, `socket`, a network) and in which mode its items came, each once. */
  marks: { via: string; mode: 'sealed' | 'opaque' | 'hop' }[]
  items: number
  /** The last item, opened, or why it could not be. */
  last: InboxEntry
  /** When it came, Unix milliseconds. */
  lastAt: number
}

export interface ConversationFilter {
  /** Only the direct conversation with this wallet. */
  peer?: string
  /** Only those that have, or had, items of this content type, e.g. `xmtp.org/text`. */
  type?: string
  /** Only those with unread items. */
  unread?: boolean
  /** Default: all but denied ones. `unknown` are the requests of strangers. */
  consent?: Consent
  /** `next` of the page before. */
  before?: string
  /** Default 50, at most 200. */
  limit?: number
}

export interface ConversationPage {
  /** The one with the latest item first. */
  conversations: Conversation[]
  /** Null after the last page. A page may be empty though there is a next one. */
  next: string | null
  /** Inbox cursor of when it was asked for: what is after it is not in these pages. */
  at: string
}

export interface InboxSettings {
  /** What the gateway does with messages of unknown senders. */
  unknownSenders: 'relay' | 'hold'
  /** Whom reading is told. */
  sendReadReceipts: 'never' | 'allowed' | 'always'
}

/** A conversation is named by its id, or by the wallet with which it is. Every change is told to the wallet's other devices. */
export interface Conversations {
  /** One page. */
  list(filter?: ConversationFilter): Promise<ConversationPage>
  get(conversation: string): Promise<Conversation>
  /** Says that it was read up to an item (its id, or an inbox cursor); by default up to the last one. Never goes back. */
  read(conversation: string, upTo?: string): Promise<ConversationState>
  /** What comes in it is relayed without notification, where networks can. */
  mute(conversation: string): Promise<ConversationState>
  unmute(conversation: string): Promise<ConversationState>
  /** What was held back is sent on. */
  allow(conversation: string): Promise<ConversationState>
  /** What comes from now on is kept, and neither relayed nor shown. The sender is not told. */
  deny(conversation: string): Promise<ConversationState>
  /** Takes `allow` or `deny` back. */
  reset(conversation: string): Promise<ConversationState>
  settings(): Promise<InboxSettings>
  setSettings(settings: InboxSettings): Promise<InboxSettings>
}

type ConversationAnswer = Omit<Conversation, 'last'> & { last: InboxItemAnswer }

export function createConversations(options: {
  api: Api
  inbox: Pick<Inbox, 'open'>
  requireSession: () => void
}): Conversations {
  const { api, inbox, requireSession } = options

  async function opened(answer: ConversationAnswer): Promise<Conversation> {
    const { conversation, consent, muted, unread, readThrough, peer, marks, items, lastAt } = answer
    const last = await inbox.open(answer.last)
    return { conversation, consent, muted, unread, readThrough, peer, marks, items, last, lastAt }
  }

  function pathOf(conversation: string): string {
    requireSession()
    return `/v1/conversations/${encodeURIComponent(conversation)}`
  }

  const choose = async (conversation: string, choice: { consent?: Consent; muted?: boolean }) =>
    api.put<ConversationState>(pathOf(conversation), choice)

  return {
    async list(filter = {}) {
      requireSession()
      const query = new URLSearchParams(
        Object.entries(filter).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, String(value)]],
        ),
      )
      const answer = await api.get<{
        conversations: ConversationAnswer[]
        next: string | null
        at: string
      }>(`/v1/conversations?${query}`)
      const conversations: Conversation[] = []
      for (const conversation of answer.conversations) conversations.push(await opened(conversation))
      return { conversations, next: answer.next, at: answer.at }
    },
    async get(conversation) {
      return opened(await api.get<ConversationAnswer>(pathOf(conversation)))
    },
    async read(conversation, upTo) {
      const path = pathOf(conversation)
      const through = upTo ?? (await api.get<ConversationAnswer>(path)).last.cursor
      return api.put<ConversationState>(`${path}/read`, { upTo: through })
    },
    mute: (conversation) => choose(conversation, { muted: true }),
    unmute: (conversation) => choose(conversation, { muted: false }),
    allow: (conversation) => choose(conversation, { consent: 'allowed' }),
    deny: (conversation) => choose(conversation, { consent: 'denied' }),
    reset: (conversation) => choose(conversation, { consent: 'unknown' }),
    async settings() {
      requireSession()
      return api.get<InboxSettings>('/v1/inbox/settings')
    },
    async setSettings(settings) {
      requireSession()
      return api.put<InboxSettings>('/v1/inbox/settings', settings)
    },
  }
}
