/** An enrolled wallet's account: its PGP key, and what is done with it in the SDK's thread. */
import { boundedSet, orAborted } from '../account.ts'
import { createBridge, type GroupVisibility, type Purpose } from '../bridge.ts'
import { PushError } from '../errors.ts'
import type { Profiles } from '../profiles.ts'
import type { RestClient } from '../rest.ts'
import type { SdkHost } from '../sdk/host.ts'
import type { Opened, SdkMessage } from '../sdk/protocol.ts'
import type { SdkAccount, SdkThread, Transport } from '../sdk/thread.ts'

/** Accounts remembered as having a chat with this one. */
const REMEMBERED_THREADS = 5_000

export interface EnrolledAccount {
  readonly did: string
  /**
   * Takes the key into the SDK's thread, into a new one where the last has ended. Rejects with `key-replaced` when it is not
   * the key of the wallet's profile, or what looking that up fails with.
   */
  admit(signal: AbortSignal): Promise<void>
  /** Asks the service for the profile, and rejects with `key-replaced` when its key is another one by now. */
  check(signal: AbortSignal): Promise<void>
  /** Aborts when the thread that has the key ends. */
  ended(): AbortSignal
  /** Resolves with the cid. `onLeave` is called just before the message goes out. */
  send(
    to: { address: string; group: GroupVisibility | null },
    message: SdkMessage,
    onLeave: () => void,
    signal: AbortSignal,
  ): Promise<string>
  /** Accepts a wallet's request, or the invitation to a group. */
  accept(from: string, signal: AbortSignal): Promise<void>
  open(message: Record<string, unknown>, signal: AbortSignal): Promise<Opened>
  /** Forgets the key, here and in the thread. */
  dispose(): Promise<void>
}

export interface EnrolledAccountParts {
  rest: RestClient
  profiles: Profiles
  host: SdkHost
  environment: string
}

/** `key`: the armored PGP key as UTF-8. It belongs to the account from then on, which wipes it. */
export function createEnrolledAccount(
  id: string,
  did: string,
  key: Uint8Array,
  { rest, profiles, host, environment }: EnrolledAccountParts,
): EnrolledAccount {
  const transportFor = createBridge({ own: did, rest, profiles, threads: boundedSet(REMEMBERED_THREADS) })
  let seat: { thread: SdkThread; ready: Promise<void> } | null = null
  /** Of the profile that the key was found to belong to. */
  let publicKey: unknown = null
  let disposed = false
  /** Resolves when nothing is on its way into a thread. */
  let settled: Promise<unknown> = Promise.resolve()

  async function enter(thread: SdkThread, signal: AbortSignal): Promise<void> {
    const transport = transportFor({ kind: 'admit' }, signal)
    const profile = await profiles.lookUp(did, signal)
    const armored = new TextDecoder().decode(key)
    if (await thread.account(id).admit({ environment, did, key: armored }, transport)) {
      publicKey = profile.publicKey
      return
    }
    throw new PushError('key-replaced', 'The key is not the one of the wallet’s Push profile')
  }

  async function admit(signal: AbortSignal): Promise<SdkAccount> {
    if (disposed) throw new PushError('not-connected', 'The enrolment is not open')
    const thread = host.start()
    if (seat?.thread !== thread) {
      const entered = { thread, ready: enter(thread, signal) }
      seat = entered
      settled = Promise.allSettled([settled, entered.ready])
      entered.ready.catch(() => {
        if (seat === entered) seat = null
      })
    }
    await orAborted(seat.ready, signal)
    return thread.account(id)
  }

  async function within<Value>(
    purpose: Purpose,
    signal: AbortSignal,
    work: (sdk: SdkAccount, transport: Transport) => Promise<Value>,
  ): Promise<Value> {
    const sdk = await admit(signal)
    return orAborted(work(sdk, transportFor(purpose, signal)), signal)
  }

  return {
    did,
    async admit(signal) {
      await admit(signal)
    },
    async check(signal) {
      profiles.forget(did)
      const profile = await profiles.lookUp(did, signal)
      if (profile.publicKey !== publicKey) seat = null
      await admit(signal)
    },
    ended: () => seat?.thread.ended ?? AbortSignal.abort(),
    send: ({ address, group }, message, onLeave, signal) =>
      within({ kind: 'send', to: address, group, onLeave }, signal, (sdk, transport) =>
        sdk.send(address, message, transport),
      ),
    accept: (from, signal) =>
      within({ kind: 'accept', from }, signal, (sdk, transport) => sdk.accept(from, transport)),
    open: (message, signal) =>
      within({ kind: 'open' }, signal, (sdk, transport) => sdk.open(message, transport)),
    async dispose() {
      disposed = true
      key.fill(0)
      seat = null
      await settled
      // Also where the wallet has made new keys, and there is no seat: the thread may have the older one.
      await host
        .running()
        ?.account(id)
        .dismiss()
        .catch(() => undefined) // the thread ended meanwhile, and the key with it
    },
  }
}
