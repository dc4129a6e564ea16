/**
 * Live subscribers of this process. Items reach it after they are durable; a subscriber that falls behind is told so and
 * catches up from the store, so that a slow reader never holds memory.
 */
import type { ConversationState, InboxItem } from '../store/port.ts'

export interface Subscriber {
  /**
   * Must not block or throw. Returns false when the subscriber takes no more; it is then removed and `dropped` called.
   * `completed`: an item of before, whose envelope has got more key wraps.
   */
  item(item: InboxItem, completed: boolean): boolean
  /** A conversation as it now is, after the wallet read in it or chose for it. As `item`. Absent: it is not told. */
  conversation?(state: ConversationState): boolean
  /** Called once when the hub lets go of the subscriber without its asking. */
  dropped(): void
}

export interface LiveHub {
  subscribe(wallet: string, subscriber: Subscriber): () => void
  /** `completed`: as for `Subscriber.item`; default false. */
  publish(wallet: string, item: InboxItem, how?: { completed?: boolean }): void
  publishConversation(wallet: string, state: ConversationState): void
  /** Whether anybody listens for this wallet now. */
  isWatched(wallet: string): boolean
  /** Drops every subscriber, e.g. at shutdown. */
  close(): void
  readonly subscribers: number
}

export function createLiveHub(): LiveHub {
  const byWallet = new Map<string, Set<Subscriber>>()
  let count = 0

  function remove(wallet: string, subscriber: Subscriber): boolean {
    const subscribers = byWallet.get(wallet)
    if (!subscribers?.delete(subscriber)) return false
    if (subscribers.size === 0) byWallet.delete(wallet)
    count--
    return true
  }

  function tell(wallet: string, take: (subscriber: Subscriber) => boolean): void {
    for (const subscriber of byWallet.get(wallet) ?? []) {
      if (!take(subscriber) && remove(wallet, subscriber)) subscriber.dropped()
    }
  }

  return {
    subscribe(wallet, subscriber) {
      const subscribers = byWallet.get(wallet) ?? new Set()
      byWallet.set(wallet, subscribers)
      if (!subscribers.has(subscriber)) {
        subscribers.add(subscriber)
        count++
      }
      return () => void remove(wallet, subscriber)
    },
    publish: (wallet, item, { completed = false } = {}) =>
      tell(wallet, (subscriber) => subscriber.item(item, completed)),
    publishConversation: (wallet, state) =>
      tell(wallet, (subscriber) => subscriber.conversation?.(state) ?? true),
    isWatched: (wallet) => byWallet.has(wallet),
    close() {
      for (const [wallet, subscribers] of byWallet) {
        for (const subscriber of subscribers) if (remove(wallet, subscriber)) subscriber.dropped()
      }
    },
    get subscribers() {
      return count
    },
  }
}
