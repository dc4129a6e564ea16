/** Contents of messages as values instead of bytes. */
import { type Content, readContentOrFallback, writeContent } from '../content/index.ts'
import type { Message, OutgoingMessage } from './types.ts'

/**
 * Of a value, what `send` takes. Throws `ContentError` `content-value-invalid`.
 *
 * @example await client.send({ to, replyTo: message.id, content: contentFor({ kind: 'reaction', action: 'added',
 *   schema: 'unicode', content: '👍', reference: '', referenceInboxId: '' }) })
 */
export function contentFor(content: Content): NonNullable<OutgoingMessage['content']> {
  const { type, parameters, fallback, bytes } = writeContent(content)
  return { contentType: type, bytes, parameters, ...(fallback === null ? {} : { fallback }) }
}

/** The value of what was received; `unknown` for a type that this version does not read, and for bytes that are not of their type. */
export function contentOf({ content }: Pick<Message, 'content'>): Content {
  const { contentType: type, parameters, fallback, content: bytes } = content
  return readContentOrFallback({ type, parameters, fallback, bytes })
}
