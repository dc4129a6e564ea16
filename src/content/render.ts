/** What a network's own clients get to see of a content, decided by what its adapter declares. Pure. */
import type { ContentKind, ContentSupport, Rendering } from '../adapter/content-support.ts'
import { readContentOrFallback, writeContent } from './content.ts'
import type { Content, EncodedContent, ReactionContent } from './types.ts'

/** A content with the network's ids of what it is about. */
export interface About {
  content: EncodedContent
  /** Of the message that this one answers or reacts to; null also where the network does not have it. */
  reference: string | null
  /** Of the message that this one edits or deletes; null also where the network does not have it. */
  replaces: string | null
  /** It edits or deletes a message, known to the network or not. */
  revises: boolean
}

export interface Rendered {
  rendering: Rendering
  /** What is to be sent; null for `dropped`. Of a kind that the network has, `native` or `converted`. */
  outgoing: Pick<About, 'content' | 'reference' | 'replaces'> | null
}

const DROPPED: Rendered = { rendering: 'dropped', outgoing: null }

export function render(support: ContentSupport, about: About): Rendered {
  const content = readContentOrFallback(about.content)
  if (content.kind === 'delete') return deletion(support, about)
  if (content.kind === 'edit' || about.revises) return edit(support, about, content)
  if (content.kind === 'reaction') return reaction(support, about, content)
  if (content.kind === 'readReceipt' && support.receiptsNameMessage && about.reference === null)
    return DROPPED
  if (content.kind === 'reply') return render(support, { ...about, content: content.content })
  const plain = simple(support, about.content, content)
  if (plain === null) return DROPPED
  const { rendering } = plain
  if (about.reference === null || support.kinds.reply === 'dropped' || content.kind === 'readReceipt') {
    return { rendering, outgoing: { content: plain.content, reference: about.reference, replaces: null } }
  }
  return {
    rendering: worst(rendering, support.kinds.reply),
    outgoing: { content: plain.content, reference: about.reference, replaces: null },
  }
}

/** A content by itself. Null: dropped. */
function simple(
  support: ContentSupport,
  encoded: EncodedContent,
  content: Content,
): { rendering: Rendering; content: EncodedContent } | null {
  const rendering = support.kinds[kindOf(content)]
  if (rendering === 'dropped') return null
  if (rendering === 'fallback') return instead(encoded, content)
  if (content.kind === 'markdown' && rendering === 'converted') {
    return { rendering, content: textContent(content.text) }
  }
  if (content.kind !== 'composite') return { rendering, content: encoded }
  const parts = content.parts.map((part) => simple(support, part, readContentOrFallback(part)))
  const kept = parts.filter((part) => part !== null)
  if (kept.length === 0) return null
  const least = kept.length < parts.length ? 'fallback' : rendering
  return {
    rendering: worst(least, ...kept.map((part) => part.rendering)),
    content: writeContent({ kind: 'composite', parts: kept.map((part) => part.content) }),
  }
}

function instead(
  encoded: EncodedContent,
  content: Content,
): { rendering: 'fallback'; content: EncodedContent } | null {
  const text = readable(encoded, content)
  return text === null ? null : { rendering: 'fallback', content: textContent(text) }
}

function reaction(support: ContentSupport, about: About, content: ReactionContent): Rendered {
  const { reactions, kinds } = support
  const isThere =
    reactions === 'any' || (content.action === 'added' && reactions.includes(withVariant(content.content)))
  const { reference } = about
  if (isThere && reference !== null && (kinds.reaction === 'native' || kinds.reaction === 'converted')) {
    return { rendering: kinds.reaction, outgoing: { content: about.content, reference, replaces: null } }
  }
  if (kinds.reaction === 'dropped') return DROPPED
  const said = content.action === 'removed' ? `Took back ${content.content}` : content.content
  if (said === '') return DROPPED
  return { rendering: 'fallback', outgoing: { content: textContent(said), reference, replaces: null } }
}

function deletion({ kinds }: ContentSupport, { content, replaces }: About): Rendered {
  // What the network does not have need not be deleted there.
  if (replaces === null || kinds.delete === 'dropped') return DROPPED
  if (kinds.delete !== 'fallback') {
    return { rendering: kinds.delete, outgoing: { content, reference: null, replaces } }
  }
  const said = textContent('Please disregard this message: it was deleted')
  return { rendering: 'fallback', outgoing: { content: said, reference: replaces, replaces: null } }
}

function edit(support: ContentSupport, about: About, content: Content): Rendered {
  const encoded = content.kind === 'edit' ? content.content : about.content
  const inner = content.kind === 'edit' ? readContentOrFallback(encoded) : content
  const { replaces } = about
  const { kinds } = support
  if (replaces !== null && kinds.edit !== 'fallback') {
    const plain = kinds.edit === 'dropped' ? null : simple(support, encoded, inner)
    if (plain === null) return DROPPED
    return {
      rendering: worst(kinds.edit, plain.rendering),
      outgoing: { content: plain.content, reference: null, replaces },
    }
  }
  const text = readable(encoded, inner)
  if (text === null) return DROPPED
  return {
    rendering: 'fallback',
    outgoing: { content: textContent(`Edited: ${text}`), reference: replaces, replaces: null },
  }
}

/** What people can read of a content; null where there is nothing. */
function readable(encoded: EncodedContent, content: Content): string | null {
  if (content.kind === 'text' || content.kind === 'markdown') return content.text
  const text = encoded.fallback ?? (content.kind === 'unknown' ? null : writeContent(content).fallback)
  return text === '' ? null : text
}

function kindOf({ kind }: Content): ContentKind {
  return kind === 'unknown' ? 'other' : kind
}

const textContent = (text: string) => writeContent({ kind: 'text', text: text.toWellFormed() })

/** Emoji are written with the variation selector (❤️) or without it (❤). */
function withVariant(emoji: string): string {
  return emoji === '❤' ? '❤️' : emoji
}

const ORDER: readonly Rendering[] = ['native', 'converted', 'fallback', 'dropped']

function worst(...renderings: Rendering[]): Rendering {
  return ORDER[Math.max(...renderings.map((rendering) => ORDER.indexOf(rendering)))] ?? 'dropped'
}
