/**
 * Native XMTP content and the gateway's `NativeContent`, both ways. A message keeps its XMTP content type and bytes, with
 * three exceptions: a reply becomes its inner content with a reference, a reaction becomes `xmtp.org/reaction:1.0` (JSON,
 * XIP-20), which is read without protobuf, and changes of a group become `causeway/group-updated:1.0`.
 */
import type { ContentTypeId, EncodedContent, GroupUpdated, Reaction } from '@xmtp/node-bindings'
import type { DecodedMessage } from '@xmtp/node-sdk'
import type { NativeContent } from '../../../src/adapter/index.ts'
import { XmtpError } from '../errors.ts'
import type { Sdk } from '../sdk.ts'

/** JSON: who was added, removed or left (inbox ids), and which fields of the group changed. */
export const GROUP_UPDATED = 'causeway/group-updated:1.0'

/** JSON of XIP-20: `{action, reference, referenceInboxId, schema, content}`. */
export const REACTION = 'xmtp.org/reaction:1.0'

/** A message's content, and the id of the message that it answers or reacts to. */
export interface NativeMessage {
  content: NativeContent
  reference: string | null
}

/** What there is to read of a message. Content of a type that this version does not know is its fallback text alone. */
export function readContent(sdk: Sdk, message: DecodedMessage<unknown>): NativeMessage {
  const { contentType, content, fallback } = message
  // Whatever it says that it is, the SDK could not read it.
  if (content === undefined || content === null) {
    return { content: unread(contentType, fallback), reference: null }
  }
  if (is(contentType, 'reply')) return readReply(sdk, content as ReplyContent, fallback)
  if (is(contentType, 'reaction')) {
    const reaction = content as Reaction
    return { content: readReaction(reaction), reference: reaction.reference }
  }
  return { content: readPlain(sdk, contentType, content, fallback), reference: null }
}

/** The message that a reply or a reaction refers to. */
export interface Target {
  id: string
  senderInboxId: string | undefined
}

/** What the SDK is to send: the content as it is, or as a reply to a message. */
export interface Outgoing {
  content: EncodedContent
  replyTo: Target | null
}

/** The content as XMTP has it. Throws `XmtpError` `content-invalid` for what XMTP has no such content for. */
export function writeContent(sdk: Sdk, content: NativeContent, target: Target | null): Outgoing {
  if (content.type.startsWith('xmtp.org/reaction:')) {
    return { content: writeReaction(sdk, content, target), replyTo: null }
  }
  return { content: encodedOf(content), replyTo: target }
}

interface ReplyContent {
  referenceId: string
  content: unknown
  contentType: ContentTypeId | undefined
}

function readReply(sdk: Sdk, reply: ReplyContent, fallback: string | undefined): NativeMessage {
  const inner = reply.contentType
  const content =
    inner === undefined
      ? { type: 'xmtp.org/reply:1.0', parameters: {}, fallback: fallback ?? null, bytes: new Uint8Array() }
      : readPlain(sdk, inner, reply.content, fallback)
  return { content, reference: reply.referenceId }
}

/** How each type that the SDK decodes becomes bytes again. */
const encoders: Readonly<Record<string, (sdk: Sdk, content: never) => EncodedContent>> = {
  text: (sdk, content) => sdk.encodeText(content),
  markdown: (sdk, content) => sdk.encodeMarkdown(content),
  readReceipt: (sdk) => sdk.encodeReadReceipt({}),
  attachment: (sdk, content) => sdk.encodeAttachment(content),
  remoteStaticAttachment: (sdk, content) => sdk.encodeRemoteAttachment(content),
  multiRemoteStaticAttachment: (sdk, content) => sdk.encodeMultiRemoteAttachment(content),
  transactionReference: (sdk, content) => sdk.encodeTransactionReference(content),
  walletSendCalls: (sdk, content) => sdk.encodeWalletSendCalls(content),
}

/** The same for types of another authority. */
const coinbaseEncoders: typeof encoders = {
  actions: (sdk, content) => sdk.encodeActions(content),
  intent: (sdk, content) => sdk.encodeIntent(content),
}

function encoderOf({ authorityId, typeId }: ContentTypeId): (typeof encoders)[string] | undefined {
  const table = authorityId === 'xmtp.org' ? encoders : authorityId === 'coinbase.com' ? coinbaseEncoders : {}
  return Object.hasOwn(table, typeId) ? table[typeId] : undefined
}

function readPlain(
  sdk: Sdk,
  type: ContentTypeId,
  content: unknown,
  fallback: string | undefined,
): NativeContent {
  if (is(type, 'group_updated') && isObject(content))
    return readGroupUpdate(content as unknown as GroupUpdated)
  const encode = encoderOf(type)
  if (encode === undefined || content === undefined || content === null) return unread(type, fallback)
  let encoded: EncodedContent
  try {
    encoded = encode(sdk, content as never)
  } catch {
    // libxmtp decodes leniently and encodes strictly: anyone may send what it reads and would not write.
    return unread(type, fallback)
  }
  return {
    type: typeText(encoded.type ?? type),
    parameters: encoded.parameters,
    fallback: encoded.fallback ?? fallback ?? null,
    bytes: encoded.content,
  }
}

function unread(type: ContentTypeId, fallback: string | undefined): NativeContent {
  return { type: typeText(type), parameters: {}, fallback: fallback ?? null, bytes: new Uint8Array() }
}

/** Values of the SDK's enums `ReactionAction` and `ReactionSchema`, which exist in its types alone. */
const ACTIONS = ['unknown', 'added', 'removed']
const SCHEMAS = ['unknown', 'unicode', 'shortcode', 'custom']

function readReaction({ action, reference, referenceInboxId, schema, content }: Reaction): NativeContent {
  const body = {
    action: ACTIONS[action] ?? 'unknown',
    reference,
    referenceInboxId,
    schema: SCHEMAS[schema] ?? 'unknown',
    content,
  }
  return {
    type: REACTION,
    parameters: {},
    fallback: body.action === 'removed' ? 'Took a reaction back' : `Reacted with “${content}”`,
    bytes: new TextEncoder().encode(JSON.stringify(body)),
  }
}

function writeReaction(sdk: Sdk, { bytes }: NativeContent, target: Target | null): EncodedContent {
  const body = parseReaction(bytes)
  if (target === null)
    throw new XmtpError('content-invalid', 'A reaction has to name a message of this conversation')
  return sdk.encodeReaction({
    reference: target.id,
    referenceInboxId: target.senderInboxId ?? '',
    action: ACTIONS.indexOf(body.action),
    content: body.content,
    schema: SCHEMAS.indexOf(body.schema),
  })
}

function parseReaction(bytes: Uint8Array): { action: string; content: string; schema: string } {
  let body: unknown
  try {
    body = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new XmtpError('content-invalid', 'The reaction is not the JSON of xmtp.org/reaction:1.0', { cause })
  }
  const { action, content, schema } = isObject(body) ? body : {}
  if (
    typeof content !== 'string' ||
    typeof action !== 'string' ||
    typeof schema !== 'string' ||
    ACTIONS.indexOf(action) < 1 ||
    SCHEMAS.indexOf(schema) < 1
  ) {
    throw new XmtpError(
      'content-invalid',
      'A reaction has `content`, an `action` (`added` or `removed`) and a `schema` (`unicode`, `shortcode` or `custom`)',
    )
  }
  return { action, content, schema }
}

function readGroupUpdate(update: GroupUpdated): NativeContent {
  const ids = (inboxes: { inboxId: string }[]) => inboxes.map(({ inboxId }) => inboxId)
  const body = {
    initiatedBy: update.initiatedByInboxId,
    added: ids(update.addedInboxes),
    removed: ids(update.removedInboxes),
    left: ids(update.leftInboxes),
    fields: update.metadataFieldChanges.map(({ fieldName, oldValue, newValue }) => ({
      name: fieldName,
      before: oldValue ?? null,
      after: newValue ?? null,
    })),
    admins: { added: ids(update.addedAdminInboxes), removed: ids(update.removedAdminInboxes) },
    superAdmins: { added: ids(update.addedSuperAdminInboxes), removed: ids(update.removedSuperAdminInboxes) },
  }
  return {
    type: GROUP_UPDATED,
    parameters: {},
    fallback: describeUpdate(body.added.length, body.removed.length + body.left.length, body.fields.length),
    bytes: new TextEncoder().encode(JSON.stringify(body)),
  }
}

function describeUpdate(added: number, gone: number, fields: number): string {
  const parts = [
    added > 0 ? `${added} joined` : '',
    gone > 0 ? `${gone} left` : '',
    fields > 0 ? 'its details changed' : '',
  ].filter((part) => part !== '')
  return `The group changed${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`
}

function encodedOf({ type, parameters, fallback, bytes }: NativeContent): EncodedContent {
  const parsed = /^([^/]+)\/([^:]+):(\d+)\.(\d+)$/.exec(type)
  if (!parsed) throw new XmtpError('content-invalid', 'The content type is not `authority/type:major.minor`')
  const [, authorityId = '', typeId = '', major, minor] = parsed
  return {
    type: { authorityId, typeId, versionMajor: Number(major), versionMinor: Number(minor) },
    parameters,
    content: bytes,
    ...(fallback === null ? {} : { fallback }),
  }
}

function is(type: ContentTypeId, typeId: string): boolean {
  return type.authorityId === 'xmtp.org' && type.typeId === typeId
}

function typeText({ authorityId, typeId, versionMajor, versionMinor }: ContentTypeId): string {
  return `${authorityId}/${typeId}:${versionMajor}.${versionMinor}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
