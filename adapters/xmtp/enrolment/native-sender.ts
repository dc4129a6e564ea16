/** Sends native messages from a wallet's own installation. The gateway sends those of one conversation one after the other. */
import type { AdapterStorage, NativeContent, NativeIntent } from '../../../src/adapter/index.ts'
import { readContentOrFallback } from '../../../src/content/index.ts'
import { H, toHex } from '../../../src/envelope/index.ts'
import { toXmtpError, XmtpError } from '../errors.ts'
import type { Conversation, XmtpInbox } from '../inbox.ts'
import { messageIdOf } from '../message-id.ts'
import type { Sdk } from '../sdk.ts'
import { SendFailure } from '../sender.ts'
import { inboxIdOfWallet } from '../wallet.ts'
import { type Outgoing, writeContent } from './content.ts'
import { SentMessages } from './sent.ts'

/** Syncs of one send; what is not published then is looked up later. */
const MOST_SYNCS = 4

export class NativeSender {
  readonly #sdk: Sdk
  readonly #inbox: XmtpInbox
  readonly sent: SentMessages

  constructor(sdk: Sdk, inbox: XmtpInbox, storage: AdapterStorage, enrolment: string) {
    this.#sdk = sdk
    this.#inbox = inbox
    this.sent = new SentMessages(storage, enrolment)
  }

  /** Resolves with the ids once all of it is on the network, one for each message. Rejects with `SendFailure`. */
  async send(intent: NativeIntent, signal: AbortSignal): Promise<string[]> {
    let stored = false
    try {
      const conversation = await this.#conversationFor(intent, signal)
      const ids: string[] = []
      for (const { outgoing, key } of this.#messagesOf(intent)) {
        const known = await this.#idOf(conversation, outgoing, key)
        const status = known === null ? 'absent' : this.#inbox.statusOf(known)
        const isKept = status === 'unpublished' || status === 'published'
        stored ||= isKept
        // Stored a second time, an unpublished message would go out twice; one that the SDK gave up goes out again by this.
        const id =
          known !== null && isKept ? known : await this.#put(conversation, outgoing, key, intent.silent)
        stored = true
        const transaction = { key, id: intent.transactionId }
        await this.sent.remember(transaction, id, !isPredictable(outgoing))
        ids.push(await this.#publish(conversation, id, signal))
      }
      return ids
    } catch (error) {
      throw new SendFailure(stored ? 'stored' : 'before', error)
    }
  }

  /** The ids of an earlier send that is on the network, null where there is none. Rejects with `XmtpError` where that is not known. */
  async find(intent: NativeIntent, signal: AbortSignal): Promise<string[] | null> {
    const conversation = await this.#existingFor(intent)
    if (conversation === null) return null
    const ids: string[] = []
    for (const { outgoing, key } of this.#messagesOf(intent)) {
      const id = await this.#idOf(conversation, outgoing, key)
      if (id === null) return null
      let status = this.#inbox.statusOf(id)
      if (status === 'failed') {
        await this.#inbox.syncConversation(conversation, 1, signal)
        status = this.#inbox.statusOf(id)
      }
      // Given up by the SDK and not among what the network has: a send puts it there under the same id.
      if (status === 'absent' || status === 'failed') return null
      ids.push(await this.#publish(conversation, id, signal))
    }
    return ids
  }

  /** One message, or one for each part of a composite; each with a key of its own, the same for every try. */
  #messagesOf(intent: NativeIntent): { outgoing: Outgoing; key: string }[] {
    if (intent.replaces !== null) throw new XmtpError('content-invalid', 'XMTP has no edits')
    const { transactionId } = intent
    const contents = partsOf(intent.content)
    return contents.map((content, index) => ({
      // The first part answers for all.
      outgoing: writeContent(this.#sdk, content, index === 0 ? this.#targetOf(intent) : null),
      key:
        index === 0
          ? transactionId
          : toHex(H('causeway/xmtp-part/1', transactionId, String(index))).slice(0, 32),
    }))
  }

  async #idOf(conversation: Conversation, outgoing: Outgoing, transactionId: string): Promise<string | null> {
    return isPredictable(outgoing)
      ? messageIdOf(conversation.id, transactionId, outgoing.content)
      : this.sent.keptIdOf(transactionId)
  }

  async #put(
    conversation: Conversation,
    { content, replyTo }: Outgoing,
    key: string,
    silent: boolean,
  ): Promise<string> {
    const options = { optimistic: true, idempotencyKey: key }
    try {
      if (replyTo === null) return await conversation.send(content, { ...options, shouldPush: !silent })
      const { id, senderInboxId } = replyTo
      const reply = {
        content,
        reference: id,
        ...(senderInboxId === undefined ? {} : { referenceInboxId: senderInboxId }),
      }
      return await conversation.sendReply(reply, options)
    } catch (error) {
      throw toXmtpError(error)
    }
  }

  /** One sync may leave it: the stream works on the same conversation, and has the message in its hands just then. */
  async #publish(conversation: Conversation, id: string, signal: AbortSignal): Promise<string> {
    for (let syncs = 0; this.#inbox.statusOf(id) !== 'published'; syncs++) {
      if (syncs === MOST_SYNCS) throw new XmtpError('unpublished', 'Stored here, and not on XMTP yet')
      await this.#inbox.syncConversation(conversation, 1, signal)
    }
    return id
  }

  #targetOf({ reference }: NativeIntent) {
    if (reference === null) return null
    const message = this.#inbox.client.conversations.getMessageById(reference)
    return { id: reference, senderInboxId: message?.senderInboxId }
  }

  async #conversationFor(intent: NativeIntent, signal: AbortSignal): Promise<Conversation> {
    // Looks whether the peer is in it, also where there is one.
    if ('wallet' in intent.to) return this.#inbox.dmWith(requireInboxId(intent.to.wallet), signal)
    const existing = await this.#existingFor(intent)
    if (existing !== null) return existing
    throw new XmtpError('conversation-inactive', 'The wallet’s installation here has no such conversation')
  }

  async #existingFor({ to }: NativeIntent): Promise<Conversation | null> {
    if ('wallet' in to) return this.#inbox.existingDm(requireInboxId(to.wallet))
    return (await this.#inbox.client.conversations.getConversationById(to.conversation)) ?? null
  }
}

/** Whether the id of the message follows from its content and key. */
function isPredictable({ content, replyTo }: Outgoing): boolean {
  return replyTo === null && Object.keys(content.parameters).length <= 1
}

function requireInboxId(wallet: string): string {
  const inboxId = inboxIdOfWallet(wallet)
  if (inboxId !== null) return inboxId
  throw new XmtpError('recipient-not-registered', 'XMTP knows no inbox of this kind of wallet')
}

/** Contents that XMTP takes one by one. */
function partsOf(content: NativeContent): NativeContent[] {
  const read = readContentOrFallback(content)
  return read.kind === 'composite' ? read.parts : [content]
}
