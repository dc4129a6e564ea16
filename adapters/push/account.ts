/** The gateway's own account on Push: its key in the SDK's thread, and the things that are done with it. */
import { computeAddress } from 'ethers/transaction'
import { createBridge, type Purpose } from './bridge.ts'
import type { PushConfig } from './config.ts'
import { didOfAddress } from './did.ts'
import { PushError } from './errors.ts'
import type { Profiles } from './profiles.ts'
import type { RestClient } from './rest.ts'
import type { SdkHost } from './sdk/host.ts'
import type { Opened } from './sdk/protocol.ts'
import type { SdkAccount, SdkThread, Transport } from './sdk/thread.ts'

/** Name of the gateway's own account in the thread. */
const OWN = ''

/** Accounts remembered as having a chat with the gateway. */
const REMEMBERED_THREADS = 100_000

export interface Account {
  readonly did: string
  /** Starts the SDK's thread and opens the profile's key there; makes the profile where there is none. Repeatable. */
  unlock(signal: AbortSignal): Promise<void>
  isUnlocked(): boolean
  /** Aborts when the present thread of the SDK ends. */
  ended(): AbortSignal
  /** Resolves with the cid. `onLeave` is called just before the message goes out. */
  send(to: string, content: string, onLeave: () => void, signal: AbortSignal): Promise<string>
  accept(from: string, signal: AbortSignal): Promise<void>
  open(message: Record<string, unknown>, signal: AbortSignal): Promise<Opened>
  /** There is a chat with this account. */
  hasThread(did: string): boolean
  /** The thread has to be closed with it: it keeps the key. */
  lock(): void
}

/** The DID of a private key in hexadecimal digits, with or without `0x`. */
export function didOfKey(walletKey: string): string {
  return didOfAddress(computeAddress(walletKey.startsWith('0x') ? walletKey : `0x${walletKey}`))
}

export function createAccount(
  config: PushConfig,
  parts: { did: string; rest: RestClient; profiles: Profiles; host: SdkHost },
): Account {
  const { did, rest, profiles, host } = parts
  const threads = boundedSet(REMEMBERED_THREADS)
  const transportFor = createBridge({ own: did, rest, profiles, threads })
  /** The thread in which the key is open. */
  let thread: SdkThread | null = null
  const isUnlocked = () => thread !== null && !thread.ended.aborted

  /** Ends with the signal, whatever the SDK still does; its calls are refused from then on. */
  function within<Value>(
    purpose: Purpose,
    signal: AbortSignal,
    work: (sdk: SdkAccount, transport: Transport) => Promise<Value>,
  ): Promise<Value> {
    if (!thread || thread.ended.aborted) {
      return Promise.reject(new PushError('not-connected', 'The Push account is not open yet'))
    }
    return orAborted(work(thread.account(OWN), transportFor(purpose, signal)), signal)
  }

  return {
    did,
    async unlock(signal) {
      if (isUnlocked()) return
      const started = host.start()
      const { environment, walletKey, createProfile } = config
      const transport = transportFor({ kind: 'unlock', mayCreate: createProfile }, signal)
      await orAborted(started.account(OWN).unlock({ environment, walletKey }, transport), signal)
      // Verified and pinned, like everyone's.
      await profiles.lookUp(did, signal)
      thread = started
    },
    isUnlocked,
    ended: () => thread?.ended ?? AbortSignal.abort(),
    send(to, content, onLeave, signal) {
      return within({ kind: 'send', to, group: null, onLeave }, signal, async (sdk, transport) => {
        const cid = await sdk.send(to, { type: 'Text', content }, transport)
        threads.add(to)
        return cid
      })
    },
    accept: (from, signal) =>
      within({ kind: 'accept', from }, signal, (sdk, transport) => sdk.accept(from, transport)),
    open: (message, signal) =>
      within({ kind: 'open' }, signal, (sdk, transport) => sdk.open(message, transport)),
    hasThread: (peer) => threads.has(peer),
    lock() {
      thread = null
    },
  }
}

/** Rejects with `aborted` as soon as the signal does. */
export function orAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new PushError('aborted', 'Given up'))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

/** A set that forgets what was added first. */
export function boundedSet(limit: number): Pick<Set<string>, 'has' | 'add'> {
  const set = new Set<string>()
  const bounded = {
    has: (value: string) => set.has(value),
    add(value: string) {
      set.add(value)
      if (set.size > limit) {
        const [oldest] = set
        if (oldest !== undefined) set.delete(oldest)
      }
      return set
    },
  }
  return bounded
}
