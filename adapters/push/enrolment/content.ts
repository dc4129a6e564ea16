/**
 * Push's messages and the gateway's `NativeContent`, both ways. Pure functions. Messages of Push that have no counterpart are
 * `push.org/<type>:1.0`, their object as JSON and what there is to read as fallback.
 */
import type { NativeContent } from '../../../src/adapter/index.ts'
import {
  type AttachmentContent,
  type AttachmentReferenceContent,
  type Content,
  ContentError,
  pushContents,
  type ReactionContent,
  readContentOrFallback,
  writeContent,
} from '../../../src/content/index.ts'
import { utf8Encode } from '../../../src/envelope/index.ts'
import { PushError } from '../errors.ts'
import { isTooDeep } from '../sdk/depth.ts'
import type { SdkMessage } from '../sdk/protocol.ts'

/** A content, and the cid of the message that it answers or reacts to. */
export interface NativeMessage {
  content: NativeContent
  reference: string | null
}

type Fields = Readonly<Record<string, unknown>>

const READ_RECEIPT = 'READ_RECEIPT'

/** What a message of this type (`Text`, `Reply`, …) says. */
export function readPushContent(type: string, object: Fields): NativeMessage {
  const reference = textOf(object.reference)
  // Nobody's application writes such a thing, and JSON could not hold it.
  if (isTooDeep(object)) return { content: withoutCounterpart(type, {}), reference: null }
  return { content: writeContentOf(type, object), reference: reference === '' ? null : reference }
}

function writeContentOf(type: string, object: Fields): NativeContent {
  const content = contentOf(type, object)
  if (content === null) return withoutCounterpart(type, object)
  try {
    return writeContent(content)
  } catch (error) {
    // More than a content of this kind holds, e.g. of parts.
    if (error instanceof ContentError) return withoutCounterpart(type, object)
    throw error
  }
}

function contentOf(type: string, object: Fields): Content | null {
  const text = textOf(object.content)
  switch (type) {
    case 'Text':
      return text === null ? null : { kind: 'text', text }
    case 'Image':
    case 'Video':
    case 'Audio':
    case 'File':
    case 'MediaEmbed':
    case 'GIF':
      return text === null ? null : fileOf(type, text)
    case 'Reaction':
      return text === null ? null : reactionOf(text, textOf(object.reference) ?? '')
    case 'Receipt':
      return text === READ_RECEIPT ? { kind: 'readReceipt' } : null
    case 'Reply': {
      const part = partOf(object.content)
      return part && contentOf(part.type, part.object)
    }
    case 'Composite':
      return compositeOf(object.content)
  }
  return null
}

/** An element of a `Composite`, or what a `Reply` holds. */
function partOf(value: unknown): { type: string; object: Fields } | null {
  if (!isFields(value) || typeof value.messageType !== 'string' || !isFields(value.messageObj)) return null
  return { type: value.messageType, object: value.messageObj }
}

function compositeOf(value: unknown): Content | null {
  if (!Array.isArray(value) || value.length === 0) return null
  const parts = value.map(partOf)
  if (parts.some((part) => part === null)) return null
  return {
    kind: 'composite',
    parts: parts.flatMap((part) => (part ? [writeContentOf(part.type, part.object)] : [])),
  }
}

function reactionOf(content: string, reference: string): ReactionContent {
  return { kind: 'reaction', action: 'added', schema: 'unicode', content, reference, referenceInboxId: '' }
}

const media: Readonly<Record<string, AttachmentReferenceContent['media']>> = {
  Image: 'image',
  GIF: 'image',
  MediaEmbed: 'image',
  Video: 'video',
  Audio: 'audio',
}

/**
 * Files are the JSON `{content, name?, type?, size?}` in Push's applications, or a text alone; `content` is a `data:` URL
 * that holds the file, or the URL where it is.
 */
function fileOf(type: string, text: string): AttachmentContent | AttachmentReferenceContent | null {
  const described = jsonOf(text)
  const location = (described ? textOf(described.content) : text)?.trim() ?? ''
  const filename = described ? textOf(described.name) : null
  const mimeType = described ? textOf(described.type) : null
  const data = /^data:([\w.+/-]+)?(?:;[\w=.+-]+)*;base64,/.exec(location)
  if (data) {
    const bytes = Uint8Array.from(Buffer.from(location.slice(data[0].length), 'base64'))
    return { kind: 'attachment', filename, mimeType: data[1] ?? mimeType ?? OCTETS, bytes }
  }
  if (!/^https?:/i.test(location) || !URL.canParse(location)) return null
  const size = described?.size
  return {
    kind: 'attachmentReference',
    url: new URL(location).href,
    media: media[type] ?? 'file',
    mimeType,
    filename,
    size: typeof size === 'number' && Number.isFinite(size) ? size : null,
    width: null,
    height: null,
    duration: null,
    thumbnail: null,
  }
}

const OCTETS = 'application/octet-stream'

/** A type of Push's own, whose name may be anything. */
function withoutCounterpart(type: string, object: Fields): NativeContent {
  const name = /^[A-Za-z][A-Za-z0-9]{0,39}$/.test(type) ? type[0]?.toLowerCase() + type.slice(1) : 'unknown'
  const text = textOf(object.content)
  return {
    type: `push.org/${name}:1.0`,
    parameters: {},
    fallback: text === null || text === '' ? `A message of Push’s type ${name}` : text,
    bytes: utf8Encode(JSON.stringify(object)),
  }
}

/**
 * The message that the SDK is to send, of a content that `pushContents` calls native or converted. Throws `PushError`
 * `content-invalid` for all others, which the gateway renders before.
 */
export function writePushContent(native: NativeContent, reference: string | null): SdkMessage {
  const content = readContentOrFallback(native)
  switch (content.kind) {
    case 'text':
    case 'markdown':
      return answering({ type: 'Text', content: content.text }, reference)
    case 'attachment':
      return answering(writeFile(content), reference)
    case 'attachmentReference':
      return answering(writeLink(content), reference)
    case 'reply':
      return writePushContent(content.content, reference ?? content.reference)
    case 'reaction':
      return writeReaction(content, reference)
    case 'readReceipt':
      if (reference === null) throw invalid('A receipt has to name the message that was read')
      return { type: 'Receipt', content: READ_RECEIPT, reference }
  }
  throw invalid('Push has no messages of this kind')
}

type Simple = { type: string; content: string }

function answering({ type, content }: Simple, reference: string | null): SdkMessage {
  if (content === '') throw invalid('There is nothing in the message that Push could carry')
  return reference === null ? { type, content } : { type: 'Reply', content: { type, content }, reference }
}

function writeFile({ filename, mimeType, bytes }: AttachmentContent): Simple {
  const url = `data:${mimeType};base64,${Buffer.from(bytes).toString('base64')}`
  const [kind] = mimeType.split('/')
  const description = { content: url, name: filename ?? 'file', type: mimeType, size: bytes.length }
  return { type: kind === 'image' ? 'Image' : 'File', content: JSON.stringify(description) }
}

function writeLink({ url, media: kind, filename, mimeType, size }: AttachmentReferenceContent): Simple {
  if (kind === 'image') return { type: 'MediaEmbed', content: url }
  const description = {
    content: url,
    name: filename ?? url,
    type: mimeType ?? OCTETS,
    ...(size === null ? {} : { size }),
  }
  return { type: 'File', content: JSON.stringify(description) }
}

function writeReaction({ action, content }: ReactionContent, reference: string | null): SdkMessage {
  const emoji = content === '❤' ? '❤️' : content
  const { reactions } = pushContents
  const isThere = reactions === 'any' || reactions.includes(emoji)
  if (reference === null || action === 'removed' || !isThere) {
    throw invalid('Push has nine reactions, to a message each, which cannot be taken back')
  }
  return { type: 'Reaction', content: emoji, reference }
}

function invalid(text: string): PushError {
  return new PushError('content-invalid', text)
}

/** A text that has a UTF-8 form. */
function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.toWellFormed() : null
}

function jsonOf(text: string): Fields | null {
  if (!text.trimStart().startsWith('{')) return null
  try {
    const value: unknown = JSON.parse(text)
    return isFields(value) ? value : null
  } catch {
    return null // a text that begins like one
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
