/** Between native contents and the inner content of envelopes. */
import { randomBytes } from 'node:crypto'
import type { NativeContent, NativeInbound } from '../adapter/index.ts'
import { EnvelopeError, encodeContent, type InnerContent, isContentType, LIMITS } from '../envelope/index.ts'

/** Stands for a native message that no envelope holds: its type and size are parameters, its beginning is the fallback. */
export const TOO_LARGE_TYPE = 'causeway/too-large:1.0'
/** Stands for a native message whose type has no name of the usual form. */
export const UNNAMED_TYPE = 'causeway/unnamed:1.0'
/** Parameter with the title of the group. */
export const GROUP_NAME = 'causeway/group-name'

const FALLBACK_CHARACTERS = 1_000
const NAME_CHARACTERS = 200
const TEXT_TYPES = /^xmtp\.org\/(text|markdown):/

/** What the envelope of a native message holds; never more than an envelope takes. */
export function innerOf(
  { content, conversation }: Pick<NativeInbound, 'content' | 'conversation'>,
  references: { inReplyTo: Uint8Array | null; replaces: Uint8Array | null },
): InnerContent {
  const { bytes } = content
  const named = isContentType(content.type)
  const parameters = Object.entries(content.parameters).map(([name, value]) => [clean(name), clean(value)])
  if (conversation.name) parameters.push([GROUP_NAME, clean(conversation.name).slice(0, NAME_CHARACTERS)])
  const inner: InnerContent = {
    salt: new Uint8Array(randomBytes(16)),
    topicId: new Uint8Array(),
    expires: null,
    ...references,
    contentType: named ? content.type : UNNAMED_TYPE,
    parameters: Object.fromEntries(
      named ? parameters : [...parameters, ['type', clean(content.type).slice(0, 200)]],
    ),
    fallback: content.fallback === null ? null : clean(content.fallback),
    content: bytes,
  }
  if (fits(inner)) return inner
  const text = content.fallback ?? (TEXT_TYPES.test(content.type) ? new TextDecoder().decode(bytes) : '')
  return {
    ...inner,
    contentType: TOO_LARGE_TYPE,
    parameters: { type: clean(content.type).slice(0, 200), bytes: String(bytes.length) },
    fallback: clean(text.slice(0, FALLBACK_CHARACTERS)),
    content: new Uint8Array(),
  }
}

export function nativeOf({ contentType, parameters, fallback, content }: InnerContent): NativeContent {
  return { type: contentType, parameters, fallback, bytes: content }
}

function fits(inner: InnerContent): boolean {
  try {
    return encodeContent(inner).length <= LIMITS.inlineContentBytes
  } catch (error) {
    if (error instanceof EnvelopeError && error.code === 'envelope-content-too-large') return false
    throw error
  }
}

/** Text as the envelope takes it: well-formed, without a byte order mark. Natives may hold anything. */
function clean(text: string): string {
  return text.toWellFormed().replace(/^\ufeff+/, '')
}
