/** What a conversation keeps of its items: small sets of words, as text in order, so that one column holds them. */
import type { RecentItem } from './recent.ts'

/** Content types of one conversation that are kept apart. Senders choose types freely, so there is an end to it. */
const MOST_TYPES = 24
/** Stands for more types than are kept. */
const ANY_TYPE = '*'

/** The marks with those of `items`: as many as there are networks and modes. */
export function mergeMarks(marks: string, items: readonly RecentItem[]): string {
  return merge(
    marks,
    items.map(({ facts }) => facts.mark),
  )
}

/** The types with those of `items`, or `*` for too many. */
export function mergeTypes(types: string, items: readonly RecentItem[]): string {
  if (types === ANY_TYPE) return types
  const merged = merge(
    types,
    items.map(({ facts }) => withoutVersion(facts.contentType)),
  )
  return merged.split(' ').length > MOST_TYPES ? ANY_TYPE : merged
}

/** Whether a conversation may have items of the type, with or without a version. */
export function hasType(types: string, type: string): boolean {
  return types === ANY_TYPE || types.split(' ').includes(withoutVersion(type))
}

/** Whether a content type is the one asked for, with or without a version. */
export function isOfType(contentType: string, type: string): boolean {
  return contentType === type || withoutVersion(contentType) === type
}

function withoutVersion(contentType: string): string {
  const end = contentType.indexOf(':')
  return end < 0 ? contentType : contentType.slice(0, end)
}

function merge(words: string, more: string[]): string {
  const known = words === '' ? [] : words.split(' ')
  if (more.every((word) => known.includes(word))) return words
  return [...new Set([...known, ...more])].sort().join(' ')
}

/** By what it sends itself a wallet allows a conversation; a receipt or typing is none of that. */
export function isAnswer({ sent, facts }: RecentItem): boolean {
  return sent && facts.notable
}
