/** Push messages that come over another network: checked here, and opened by the wallet's own Push SDK without its node. */
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import { createParcelReader, createTurns } from './parcels.ts'
import { createPushKeys, fingerprint, peersOf } from './push-keys.ts'
import { didOf, type PushHead, readPushMessage } from './push-message.ts'
import type {
  PushAttachment,
  PushIngested,
  PushRegistration,
  PushSdk,
  PushSdkMessage,
  PushSdkProfile,
} from './push-types.ts'
import type { Receipts } from './receipts.ts'
import type { SeenIds } from './seen.ts'
import type { ClientStorage } from './storage.ts'
import type { Parcel } from './xmtp-types.ts'

const NETWORK = 'push'
/** The SDK waits for its node for ever; here it is away after so many milliseconds. */
const ANSWER_MS = 10_000
/** The SDK puts this in place of what it cannot decrypt. */
const UNDECRYPTED = 'Unable to Decrypt Message'
/** Between two attempts to reach a node that was away there are at least so many milliseconds. */
const RETRY_PAUSE_MS = 3_000
const LONGEST_PAUSE_MS = 60_000
/** Chats whose keys are asked for by `mirror`. */
const CHATS_PER_PAGE = 30
const MOST_PAGES = 10

/** A message of the SDK's own history or stream. The stream gives its signature with the option `raw: true`. */
export interface ShownPushMessage {
  verificationProof?: string | null | undefined
  raw?: { verificationProof?: string | null | undefined } | undefined
  cid?: string | undefined
  /** The stream's name of `cid`. */
  reference?: string | undefined
}

export interface PushPiece {
  /** Names the SDK (the modules `chat` and `user` of `@pushprotocol/restapi`) and the key with which it opens messages. */
  attach(sdk: PushSdk, options: PushAttachment): void
  /**
   * Registers at the gateway: from here on messages of all chats, or of these, come to the wallet's fast transport too. Keys of
   * those it has direct chats with are fetched, verified and pinned, so that their messages open without the node.
   */
  mirror(options?: Pick<PushRegistration, 'chats'>): Promise<{ topics: number }>
  /** Ends that, and has the gateway delete what was registered. */
  unmirror(): Promise<void>
  /**
   * Opens a mirrored message: a frame as it came over a network, or the parcel of an inbox entry. Calls for one chat are done in
   * order; repeating one is harmless.
   *
   * Errors (`ClientError`): `push-not-attached`, `message-unsupported` for another kind of frame, `push-refused` for a message
   * that is not signed by its sender's pinned key, not encrypted, or not for this wallet.
   */
  ingest(frame: Uint8Array | Parcel, arrival?: { network: string }): Promise<PushIngested>
  /**
   * Tries what is queued now. Answers how many are still queued. When the gateway refuses to look a notice up, e.g. because the
   * session is over, it tries the rest and rejects then.
   */
  retry(): Promise<number>
  /** For messages of the SDK's own history and stream: true the first time that one is met, here or by `ingest`. */
  isFirst(message: ShownPushMessage): boolean
}

interface Queued {
  parcel: Parcel
  head: PushHead
  /** What comes after it in its chat waits for it. Not so for one whose signature does not hold: it is likely a forged one. */
  holds: boolean
}

/** What an attempt lacks: the sender's keys, newer keys of the sender, the secret of a group, or an answer of the SDK in time. */
type Need = 'key' | 'newer-key' | 'secret' | 'answer'

class Late extends Error {}

export function createPushPiece(options: {
  api: Api
  /** The wallet's DID; null for wallets that have none. */
  account: string | null
  storage: ClientStorage
  receipts: Receipts
  seen: SeenIds
  requireSession: () => void
  now: () => number
}): PushPiece {
  const { api, storage, receipts, seen, requireSession, now } = options
  const parcels = createParcelReader({ api, network: NETWORK, title: 'Push', refusal: 'push-refused' })
  const keys = createPushKeys(storage)
  const inTurn = createTurns()
  let attached: { sdk: PushSdk; options: PushAttachment } | null = null
  /** Messages that wait for the node, by chat, in order. */
  const queues = new Map<string, Queued[]>()
  /** Notices whose parcel the gateway could not give yet. */
  const notices = new Map<string, Parcel>()
  /** The node was found away then. */
  let triedAt = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | null = null
  let retrying: Promise<number> | null = null

  function requireAttached() {
    if (attached) return attached
    throw new ClientError('push-not-attached', 'Call push.attach({ chat, user }, …) with the Push SDK first')
  }

  function requireAccount(): string {
    if (options.account !== null) return options.account
    throw new ClientError(
      'push-refused',
      'Only wallets with a private key of Ethereum have an account on Push',
    )
  }

  /** Null when the node does not answer. */
  async function fromNode<Value>(call: () => Promise<Value>): Promise<{ value: Value } | null> {
    if (now() < triedAt + RETRY_PAUSE_MS) return null
    try {
      return { value: await within(call()) }
    } catch {
      // The SDK tells no more than that a call failed. Nothing is lost, and `retry` comes back to it.
      triedAt = now()
      return null
    }
  }

  async function fetchKey(did: string): Promise<string | null> {
    const { sdk, options } = requireAttached()
    const profile = await fromNode<PushSdkProfile | null>(() =>
      sdk.user.get({ account: did, env: options.env }),
    )
    return profile && keys.pin(did, profile.value)
  }

  /** The message decrypted; null when its signature does not hold by this key; `answer` when the SDK says nothing in time. */
  async function decrypt(
    { message }: PushHead,
    publicKey: string,
  ): Promise<PushSdkMessage | 'answer' | null> {
    const { sdk, options } = requireAttached()
    const { pgpPrivateKey, env } = options
    // For messages of `connectedUser` the SDK checks the signature by the key given here, and asks the node for none.
    const connectedUser = { wallets: message.fromCAIP10, publicKey, did: message.fromDID }
    try {
      const messages = [structuredClone(message)]
      const call = sdk.chat.decryptConversation({ messages, connectedUser, pgpPrivateKey, env })
      return (await within(call))[0] ?? null
    } catch (error) {
      if (!(error instanceof Late)) return null // what it throws for is the signature; what it cannot decrypt it marks
      // It asks the node for secrets and references, or the device is busy: neither says anything of the message.
      triedAt = now()
      return 'answer'
    }
  }

  /** What it needs the node for, or the message. Throws `push-refused`. */
  async function open(head: PushHead): Promise<PushSdkMessage | Need> {
    const pinned = await keys.pinned(head.from)
    const key = pinned ?? (await fetchKey(head.from))
    if (key === null) return 'key'
    let opened = await decrypt(head, key)
    if (!opened) {
      const newer = pinned === null ? key : await fetchKey(head.from)
      if (newer === null) return 'newer-key'
      opened = newer === key ? null : await decrypt(head, newer)
      if (!opened) throw new ClientError('push-refused', 'The sender’s key did not sign this message')
    }
    if (opened === 'answer') return opened
    if (opened.messageObj !== UNDECRYPTED) {
      // No signature covers the old form of the content.
      const { messageContent, ...signed } = opened
      return signed
    }
    if (head.message.encType === 'pgpv1:group' && (await fetchKey(requireAccount())) === null) return 'secret'
    throw new ClientError('push-refused', 'The key of this wallet does not open this message')
  }

  function shown(id: string, head: PushHead, message: PushSdkMessage): PushIngested {
    const { cid, chat, from, proof } = head
    const duplicate = !seen.add(fingerprint(proof))
    seen.saveSoon()
    return { id, outcome: 'message', message, cid, chat, from, duplicate }
  }

  async function take(parcel: Parcel, head: PushHead): Promise<PushIngested> {
    const waiting = queues.get(head.chat) ?? []
    let need: Need | null = null
    if (!waiting.some(({ holds }) => holds)) {
      const opened = await open(head)
      if (typeof opened !== 'string') return shown(parcel.id, head, opened)
      need = opened
    }
    await parcels.requireGenuine(parcel)
    queues.set(head.chat, waiting)
    if (!waiting.some((queued) => queued.parcel.id === parcel.id)) {
      waiting.push({ parcel, head, holds: need !== 'newer-key' })
    }
    const { cid, chat, from } = head
    return { ...nothing(parcel.id), outcome: 'queued', cid, chat, from }
  }

  /** Opens what waits in one chat, as far as it goes. */
  async function drain(chat: string): Promise<void> {
    const { onIngested } = requireAttached().options
    const left: Queued[] = []
    for (const queued of queues.get(chat) ?? []) {
      const { parcel, head } = queued
      const isHeld = left.some(({ holds }) => holds)
      const opened = isHeld ? 'key' : await open(head).catch(refusalOf)
      if (typeof opened === 'string') left.push(queued)
      else if (opened instanceof ClientError) onIngested?.({ ...nothing(parcel.id), outcome: 'refused' })
      else onIngested?.(shown(parcel.id, head, opened))
    }
    if (left.length > 0) queues.set(chat, left)
    else queues.delete(chat)
  }

  async function ingestParcel(parcel: Parcel): Promise<PushIngested> {
    const given = parcel.bytes.length > 0 ? parcel.bytes : await parcels.ofGateway(parcel)
    if (given === null) {
      notices.set(parcel.id, parcel)
      return { ...nothing(parcel.id), outcome: 'queued' }
    }
    notices.delete(parcel.id)
    if (given.length === 0) return { ...nothing(parcel.id), outcome: 'woken' }
    const head = readPushMessage(given, requireAccount())
    if (typeof head === 'string') throw new ClientError('push-refused', `The parcel ${head}`)
    return inTurn(head.chat, () => take({ ...parcel, bytes: given }, head))
  }

  async function retryAll(): Promise<number> {
    const { onIngested } = requireAttached().options
    const failures: unknown[] = []
    for (const notice of [...notices.values()]) {
      const result = await ingestParcel(notice).catch((error: unknown) => {
        if (!isRefusal(error)) {
          failures.push(error)
          return null
        }
        notices.delete(notice.id)
        return { ...nothing(notice.id), outcome: 'refused' as const }
      })
      if (result && result.outcome !== 'queued') onIngested?.(result)
    }
    for (const chat of [...queues.keys()]) await inTurn(chat, () => drain(chat))
    // Only now: what needs the node alone does not wait for the gateway, which may have ended the session.
    if (failures.length > 0) throw failures[0]
    return [...queues.values()].reduce((sum, queue) => sum + queue.length, notices.size)
  }

  function retry(): Promise<number> {
    triedAt = Number.NEGATIVE_INFINITY
    retrying ??= retryAll().finally(() => {
      retrying = null
    })
    return retrying
  }

  /** Tries by itself what is queued, with growing pauses. */
  function retryLater(pauseMs = RETRY_PAUSE_MS): void {
    if (timer !== null || (queues.size === 0 && notices.size === 0)) return
    timer = setTimeout(async () => {
      // What fails stays queued; `retry` tells why.
      await retry().catch(() => null)
      timer = null
      retryLater(Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
    }, pauseMs)
    // In Node, waiting for a node that is away keeps no process alive.
    ;(timer as { unref?: () => void }).unref?.()
  }

  /** So that messages open while the node is away. What cannot be had now is asked for with the first message. */
  async function pinPeers(account: string, named: readonly string[]): Promise<void> {
    const { sdk, options } = requireAttached()
    const { env } = options
    const peers = new Set(named.flatMap((id) => didOf(id) ?? []))
    for (let page = 1; named.length === 0 && page <= MOST_PAGES; page++) {
      const paging = { account, env, toDecrypt: false, page, limit: CHATS_PER_PAGE }
      const chats = await fromNode(async () => (await sdk.chat.chats?.(paging)) ?? [])
      for (const peer of peersOf(chats?.value ?? [])) peers.add(peer)
      if ((chats?.value.length ?? 0) < CHATS_PER_PAGE) break
    }
    for (const peer of peers) if ((await keys.pinned(peer)) === null) await fetchKey(peer).catch(refusalOf)
  }

  return {
    attach(sdk, given) {
      attached = { sdk, options: given }
    },
    async mirror({ chats } = {}) {
      requireSession()
      const account = requireAccount()
      const registration: PushRegistration = { account, ...(chats ? { chats } : {}) }
      const answer = await api.put<{ topics: number }>(`/v1/mirrors/${NETWORK}`, registration)
      if (attached)
        await pinPeers(
          account,
          (chats ?? []).map(({ id }) => id),
        )
      return answer
    },
    async unmirror() {
      requireSession()
      await api.remove(`/v1/mirrors/${NETWORK}`)
    },
    async ingest(input, { network } = { network: 'http' }) {
      requireAttached()
      const parcel = parcels.read(input)
      const result = await ingestParcel(parcel)
      if (api.token) receipts.add({ id: parcel.id, network, kind: 'delivered', at: now() })
      retryLater()
      return result
    },
    retry,
    isFirst({ verificationProof, raw, cid, reference }) {
      const proof = verificationProof ?? raw?.verificationProof
      const name = cid ?? reference
      if (!proof && !name)
        throw new TypeError('a message of the Push SDK has a verificationProof, or at least a cid')
      const isNew = seen.add(fingerprint(proof || `cid:${name}`))
      seen.saveSoon()
      return isNew
    },
  }
}

function nothing(id: string) {
  return { id, message: null, cid: null, chat: null, from: null, duplicate: false }
}

function isRefusal(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code === 'push-refused'
}

function refusalOf(error: unknown): ClientError {
  if (isRefusal(error)) return error
  throw error
}

async function within<Value>(work: Promise<Value>): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Late('the Push SDK does not answer')), ANSWER_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
