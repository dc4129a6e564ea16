/** XMTP messages that come over another network: handed to the wallet's own XMTP SDK, which opens them. */
import { toBase64url } from '../envelope/index.ts'
import type { Api } from './api.ts'
import { ClientError } from './errors.ts'
import { createParcelReader, createTurns } from './parcels.ts'
import type { Receipts } from './receipts.ts'
import type { SeenIds } from './seen.ts'
import type {
  Ingested,
  Parcel,
  XmtpHmacKey,
  XmtpRegistration,
  XmtpSdkClient,
  XmtpSdkConversation,
  XmtpSdkMessage,
} from './xmtp-types.ts'
import { readGroupMessageHead } from './xmtp-wire.ts'

const NETWORK = 'xmtp'
/** A node that is away makes each attempt last seconds; between two attempts there are at least so many milliseconds. */
const RETRY_PAUSE_MS = 3_000
const LONGEST_PAUSE_MS = 60_000
/** The SDK says this of a message that it could open only with help of the node. */
const NEEDS_NODE = /GroupMessageNotFound|group message not found/i

export interface XmtpPiece {
  /** Names the SDK client that opens mirrored messages. `onIngested` is told of each that waited and was opened later. */
  attach(sdk: XmtpSdkClient, options?: { onIngested?: (result: Ingested) => void }): void
  /**
   * What to register so that this SDK client's conversations are mirrored: its installation, its conversations with the place
   * up to which it has them, and the keys by which its own messages are known. No key that opens a message is in it.
   */
  registration(sdk?: XmtpSdkClient): Promise<XmtpRegistration>
  /**
   * Registers at the gateway: from here on XMTP messages come to the wallet's fast transport too. Again after a new
   * conversation (`woken`), and once a month for the keys. Follow it with a sync: it tells of what came before.
   */
  mirror(): Promise<{ topics: number }>
  /** Ends that, and has the gateway delete what was registered. */
  unmirror(): Promise<void>
  /**
   * Hands a mirrored message to the SDK: a frame as it came over a network, or the parcel of an inbox entry. Calls for one
   * conversation are done in order; repeating one is harmless.
   *
   * Errors (`ClientError`): `xmtp-not-attached`, `message-unsupported` for another kind of frame, `xmtp-refused` when the SDK
   * refuses the bytes.
   */
  ingest(frame: Uint8Array | Parcel, arrival?: { network: string }): Promise<Ingested>
  /** Tries what is queued now. Answers how many are still queued. */
  retry(): Promise<number>
}

interface Attached {
  sdk: XmtpSdkClient
  onIngested: (result: Ingested) => void
}

interface Queued {
  parcel: Parcel
  /** When it came, nanoseconds: what the SDK stored before was there already. */
  cameAt: bigint
}

export function createXmtpPiece(options: {
  api: Api
  receipts: Receipts
  seen: SeenIds
  requireSession: () => void
  now: () => number
}): XmtpPiece {
  const { api, receipts, seen, requireSession, now } = options
  const parcels = createParcelReader({ api, network: NETWORK, title: 'XMTP', refusal: 'xmtp-refused' })
  let attached: Attached | null = null
  /** Messages that wait for the node, by conversation, in order. */
  const queues = new Map<string, Queued[]>()
  const inTurn = createTurns()
  /** The node was found away then. */
  let triedAt = Number.NEGATIVE_INFINITY
  const isAway = () => now() < triedAt + RETRY_PAUSE_MS
  /** Parcels that tell of something at the node which was not fetched yet. */
  const wakeUps = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | null = null
  let retrying: Promise<number> | null = null

  function requireAttached(): Attached {
    if (attached) return attached
    throw new ClientError('xmtp-not-attached', 'Call xmtp.attach(client) with the XMTP SDK’s client first')
  }

  /** A notice with its bytes. Without an answer of the gateway it is a wake-up: the network itself has the message as well. */
  async function whole(parcel: Parcel): Promise<Parcel> {
    if (parcel.bytes.length > 0) return parcel
    return { ...parcel, bytes: (await parcels.ofGateway(parcel)) ?? parcel.bytes }
  }

  async function wake({ id }: Parcel): Promise<Ingested> {
    wakeUps.add(id)
    const woken = isAway() ? false : await fetchAll()
    if (woken) wakeUps.delete(id)
    return { ...nothing(id, null), outcome: woken ? 'woken' : 'queued' }
  }

  async function fetchAll(): Promise<boolean> {
    try {
      const { conversations } = requireAttached().sdk
      // What it was woken for may be a message of a conversation that it has.
      await (conversations.syncAll ? conversations.syncAll() : conversations.sync())
      return true
    } catch {
      // The node is away. Nothing is lost, and `retry` comes back to it.
      triedAt = now()
      return false
    }
  }

  /** Null when the SDK needs the node for it, or does not know the conversation yet. */
  async function open({ parcel, cameAt }: Queued, conversation: string): Promise<Ingested | null> {
    const found = await requireAttached().sdk.conversations.getConversationById(conversation)
    const messages = found ? await processed(found, parcel.bytes) : null
    if (!messages) return null
    const [message] = messages
    if (!message) return { ...nothing(parcel.id, conversation), outcome: 'changed' }
    const { id: messageId, senderInboxId, insertedAtNs } = message
    const known = insertedAtNs !== undefined && insertedAtNs < cameAt
    const duplicate = !seen.add(parcel.id) || known
    seen.saveSoon()
    return {
      id: parcel.id,
      outcome: 'message',
      conversationId: conversation,
      messageId,
      senderInboxId,
      duplicate,
    }
  }

  /** Null when the SDK needs the node for it. */
  async function processed(
    conversation: XmtpSdkConversation,
    bytes: Uint8Array,
  ): Promise<XmtpSdkMessage[] | null> {
    try {
      return await conversation.processStreamedMessage(bytes)
    } catch (error) {
      if (NEEDS_NODE.test(String(error))) return null
      throw new ClientError('xmtp-refused', 'The XMTP SDK does not take these bytes', { cause: error })
    }
  }

  async function take(parcel: Parcel, conversation: string): Promise<Ingested> {
    const arrival = { parcel, cameAt: BigInt(now()) * 1_000_000n }
    const waiting = queues.get(conversation)
    // What waits comes first, and what comes after a change of the group needs it.
    if (!waiting) {
      const opened = await open(arrival, conversation)
      if (opened) return opened
      if (!isAway() && (await sync(conversation))) {
        const afterwards = await open(arrival, conversation)
        if (afterwards) return afterwards
        throw new ClientError(
          'xmtp-refused',
          'The XMTP SDK cannot open this message, even with the node’s help',
        )
      }
    }
    await parcels.requireGenuine(parcel)
    const queue = waiting ?? []
    queues.set(conversation, queue)
    if (!queue.some((queued) => queued.parcel.id === parcel.id)) queue.push(arrival)
    return { ...nothing(parcel.id, conversation), outcome: 'queued' }
  }

  async function sync(conversation: string): Promise<boolean> {
    const { conversations } = requireAttached().sdk
    try {
      if (!(await conversations.getConversationById(conversation))) await conversations.sync()
      await (await conversations.getConversationById(conversation))?.sync()
      return true
    } catch {
      triedAt = now()
      return false
    }
  }

  /** Opens what waits in one conversation, as far as it goes. False when the SDK cannot sync it. */
  async function drain(conversation: string): Promise<boolean> {
    const queue = queues.get(conversation)
    if (!queue) return true
    if (!(await sync(conversation))) return false
    for (let [first] = queue; first; [first] = queue) {
      const result = await open(first, conversation).catch((error: unknown) => {
        // Refused for good: it must not hold the others.
        if (error instanceof ClientError && error.code === 'xmtp-refused') return null
        throw error
      })
      queue.shift()
      // After a sync the SDK has all that it can have; what it cannot open now it never will.
      if (result) requireAttached().onIngested(result)
    }
    queues.delete(conversation)
    return true
  }

  async function retryAll(): Promise<number> {
    const told = [...wakeUps]
    if (told.length > 0 && (await fetchAll())) {
      for (const id of told) {
        wakeUps.delete(id)
        requireAttached().onIngested({ ...nothing(id, null), outcome: 'woken' })
      }
    }
    for (const conversation of [...queues.keys()]) {
      if (await inTurn(conversation, () => drain(conversation))) continue
      // The node is away; or the SDK cannot sync this conversation any more, and the next attempt begins with the others.
      const queue = queues.get(conversation)
      queues.delete(conversation)
      if (queue) queues.set(conversation, queue)
      break
    }
    return [...queues.values()].reduce((sum, queue) => sum + queue.length, wakeUps.size)
  }

  function retry(): Promise<number> {
    retrying ??= retryAll().finally(() => {
      retrying = null
    })
    return retrying
  }

  /** Tries by itself what is queued, with growing pauses. */
  function retryLater(pauseMs = RETRY_PAUSE_MS): void {
    if (timer !== null || (queues.size === 0 && wakeUps.size === 0)) return
    timer = setTimeout(async () => {
      // What fails stays queued; `retry` tells why.
      await retry().catch(() => null)
      timer = null
      retryLater(Math.min(2 * pauseMs, LONGEST_PAUSE_MS))
    }, pauseMs)
    // In Node, waiting for a node that is away keeps no process alive.
    ;(timer as { unref?: () => void }).unref?.()
  }

  async function registration(sdk: XmtpSdkClient = requireAttached().sdk): Promise<XmtpRegistration> {
    const [conversations, keys] = await Promise.all([sdk.conversations.list(), sdk.conversations.hmacKeys()])
    const keysOf = new Map<string, readonly XmtpHmacKey[]>(keys instanceof Map ? keys : Object.entries(keys))
    return {
      installations: sdk.installationId === undefined ? [] : [sdk.installationId],
      conversations: await Promise.all(
        conversations.map(async (conversation) => ({
          id: conversation.id,
          ...(await placeIn(conversation)),
          hmacKeys: (keysOf.get(conversation.id) ?? []).map(({ epoch, key }) => ({
            epoch: Number(epoch),
            key: toBase64url(key),
          })),
        })),
      ),
    }
  }

  return {
    attach(sdk, { onIngested = () => {} } = {}) {
      attached = { sdk, onIngested }
    },
    registration,
    async mirror() {
      requireSession()
      return api.put<{ topics: number }>(`/v1/mirrors/${NETWORK}`, await registration())
    },
    async unmirror() {
      requireSession()
      await api.remove(`/v1/mirrors/${NETWORK}`)
    },
    async ingest(input, { network } = { network: 'http' }) {
      requireAttached()
      const parcel = await whole(parcels.read(input))
      let result: Ingested
      if (parcel.bytes.length === 0) result = await wake(parcel)
      else {
        const head = readGroupMessageHead(parcel.bytes)
        if (!head) throw new ClientError('xmtp-refused', 'The parcel holds no XMTP message')
        result = await inTurn(head.conversation, () => take(parcel, head.conversation))
      }
      if (api.token) receipts.add({ id: parcel.id, network, kind: 'delivered', at: now() })
      retryLater()
      return result
    },
    retry,
  }
}

function nothing(id: string, conversationId: string | null) {
  return { id, messageId: null, conversationId, senderInboxId: null, duplicate: false }
}

/** Up to where the SDK has the conversation, where it can tell. */
async function placeIn(conversation: XmtpSdkConversation): Promise<{ cursor?: string }> {
  const places = (await conversation.debugInfo?.())?.cursor.map(({ sequenceId }) => BigInt(sequenceId)) ?? []
  const newest = places.reduce((highest, place) => (place > highest ? place : highest), 0n)
  return newest > 0n ? { cursor: String(newest) } : {}
}
