/** Accounts, profiles and who is online. SANDBOX. */
import { type JsonObject, ServiceError, type Session } from './protocol.ts'
import type { Webhooks } from './webhooks.ts'

interface Account {
  /** The service's own number of the account, part of message ids. */
  tinyId: string
  profile: Map<string, unknown>
}

const NICKNAME = 'Tag_Profile_IM_Nick'

export interface Users {
  /** Makes the account if it does not exist. Error 70402 for a userID over 32 bytes or not printable ASCII. */
  import(userId: string): void
  exists(userId: string): boolean
  delete(userId: string): boolean
  /** Error 20003 when there is no such account. */
  tinyId(userId: string): string
  nickname(userId: string): string
  profile(userId: string, tags?: string[]): { Tag: string; Value: unknown }[]
  setProfile(userId: string, items: { Tag: string; Value: unknown }[]): void
  sessions(userId: string): readonly Session[]
  connect(session: Session): void
  disconnect(session: Session, action: 'Logout' | 'Disconnect'): void
}

export function createUsers(webhooks: Webhooks): Users {
  const accounts = new Map<string, Account>()
  const sessions = new Map<string, Set<Session>>()
  let nextTinyId = 144_115_200_000_000_000n

  function account(userId: string, code: number): Account {
    const found = accounts.get(userId)
    if (!found) throw new ServiceError(code, 'no such account')
    return found
  }

  function tellState(userId: string, action: string, reason: string): void {
    const body = { Info: { Action: action, To_Account: userId, Reason: reason } }
    webhooks.tell(`state ${userId}`, 'State.StateChange', body, 'Web')
  }

  return {
    import(userId) {
      if (Buffer.byteLength(userId) > 32 || !/^[\x20-\x7e]+$/.test(userId)) {
        throw new ServiceError(70402, 'UserID must be 1 to 32 printable ASCII characters')
      }
      if (!accounts.has(userId)) accounts.set(userId, { tinyId: String(nextTinyId++), profile: new Map() })
    },
    exists: (userId) => accounts.has(userId),
    delete: (userId) => accounts.delete(userId),
    tinyId: (userId) => account(userId, 20003).tinyId,
    nickname: (userId) => String(accounts.get(userId)?.profile.get(NICKNAME) ?? ''),
    profile(userId, tags) {
      const all = [...(accounts.get(userId)?.profile ?? [])].map(([Tag, Value]) => ({ Tag, Value }))
      return tags ? all.filter((item) => tags.includes(item.Tag)) : all
    },
    setProfile(userId, items) {
      const { profile } = account(userId, 40003)
      for (const { Tag, Value } of items) {
        const custom = /^Tag_Profile_Custom_(.*)$/.exec(Tag)?.[1]
        if (custom !== undefined && !/^[A-Za-z]{1,8}$/.test(custom)) {
          throw new ServiceError(40009, 'a custom tag is 1 to 8 letters')
        }
        if (typeof Value === 'string' && Buffer.byteLength(Value) > 500) {
          throw new ServiceError(40601, 'a profile value is at most 500 bytes')
        }
        profile.set(Tag, Value)
      }
    },
    sessions: (userId) => [...(sessions.get(userId) ?? [])],
    connect(session) {
      const own = sessions.get(session.userId) ?? new Set()
      sessions.set(session.userId, own.add(session))
      tellState(session.userId, 'Login', 'Register')
    },
    disconnect(session, action) {
      const own = sessions.get(session.userId)
      if (!own?.delete(session)) return
      if (own.size === 0) sessions.delete(session.userId)
      tellState(session.userId, action, action === 'Logout' ? 'Unregister' : 'LinkClose')
    },
  }
}

/** Pushed to a client that an administrator signs out. */
export const kickedByRest: JsonObject = {
  EventArray: [{ Event: 10, C2cNotifyMsgArray: [{ KickoutMsgNotify: { KickType: 3, NewInstInfo: {} } }] }],
}
