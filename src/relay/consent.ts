import { directConversation, equalBytes, toHex } from '../envelope/index.ts'
import { ReadThrough } from '../identity/read-through.ts'
import type { InboxRules, InboxSettings, StoredEnvelope } from '../store/port.ts'
import type { RelayContext } from './parts.ts'

/** Wallets whose choices are kept in memory. */
const CACHED_WALLETS = 50_000
/** What they denied and muted, of all of them together. */
const CACHED_CHOICES = 500_000

/** What wallets chose for whom they hear from, asked before anything is sent to them. */
export interface Consents {
  /** What is done with an envelope for the wallets that have it in their inbox. */
  judge(envelope: Pick<StoredEnvelope, 'from' | 'conversation'>, wallets: readonly string[]): Promise<Verdict>
  isMuted(wallet: string, conversation: Uint8Array): Promise<boolean>
  settings(wallet: string): Promise<InboxSettings>
  /** To be called once a change of a wallet's choices is durable. */
  changed(wallet: string): void
}

export interface Verdict {
  /** Wallets to whose endpoints it goes. */
  relayed: string[]
  /** The others: it stays in their inbox, held back or denied. */
  kept: string[]
  /** Wallets that denied it: it stays in their inbox, and is shown where they ask for it. */
  hidden: string[]
  /** Wallets that muted the conversation, or hold it back: nobody is notified of it. */
  quiet: string[]
}

interface Rules extends InboxSettings {
  denied: ReadonlySet<string>
  deniedPeers: ReadonlySet<string>
  muted: ReadonlySet<string>
}

export function createConsents({ store }: Pick<RelayContext, 'store'>): Consents {
  const known = new ReadThrough<Rules>({
    max: CACHED_WALLETS,
    load: async (wallet) => rulesOf(await store.inboxRules(wallet)),
    size: { max: CACHED_CHOICES, of: ({ denied, muted }) => 1 + denied.size + muted.size },
  })

  async function verdictOf(
    wallet: string,
    { from, conversation }: Pick<StoredEnvelope, 'from' | 'conversation'>,
    { denied, deniedPeers, unknownSenders }: Rules,
  ): Promise<'relay' | 'hold' | 'hide'> {
    if (denied.size > 0 && denied.has(toHex(conversation))) return 'hide'
    // What a wallet writes to itself, and parcels, which name nobody else.
    if (from === wallet) return 'relay'
    if (deniedPeers.has(from)) return 'hide'
    if (unknownSenders === 'relay') return 'relay'
    const own = directConversation(wallet, from)
    const consents = await Promise.all(
      [own, ...(equalBytes(own, conversation) ? [] : [conversation])].map((one) =>
        store.consentOf(wallet, one),
      ),
    )
    // In a group whoever is allowed is heard, and so is everybody in a group that is.
    return consents.includes('allowed') ? 'relay' : 'hold'
  }

  return {
    async judge(envelope, wallets) {
      const judged = await Promise.all(
        wallets.map(async (wallet) => {
          const rules = await known.get(wallet)
          const verdict = await verdictOf(wallet, envelope, rules)
          const quiet = verdict === 'hold' || hasMuted(rules, envelope.conversation)
          return { wallet, verdict, quiet }
        }),
      )
      const those = (test: (one: (typeof judged)[number]) => boolean) =>
        judged.filter(test).map(({ wallet }) => wallet)
      return {
        relayed: those(({ verdict }) => verdict === 'relay'),
        kept: those(({ verdict }) => verdict !== 'relay'),
        hidden: those(({ verdict }) => verdict === 'hide'),
        quiet: those(({ quiet }) => quiet),
      }
    },
    async isMuted(wallet, conversation) {
      return hasMuted(await known.get(wallet), conversation)
    },
    async settings(wallet) {
      const { unknownSenders, sendReadReceipts } = await known.get(wallet)
      return { unknownSenders, sendReadReceipts }
    },
    changed: (wallet) => known.forget(wallet),
  }
}

function hasMuted({ muted }: Rules, conversation: Uint8Array): boolean {
  return muted.size > 0 && muted.has(toHex(conversation))
}

function rulesOf({ denied, muted, ...settings }: InboxRules): Rules {
  return {
    ...settings,
    denied: new Set(denied.map(({ conversation }) => toHex(conversation))),
    deniedPeers: new Set(denied.flatMap(({ peer }) => peer ?? [])),
    muted: new Set(muted.map(toHex)),
  }
}
