/** How a frame rides in a Push chat: the content of a `Text` message. Pure functions, no I/O. */
import { fromBase64url, toBase64url } from '../../src/envelope/index.ts'

/** Begins the text of every message that carries a frame. */
export const TEXT_PREFIX = 'causeway1:'

/**
 * Largest frame in bytes. The service stores 2.7 times the text (it encrypts it twice), so this is under 500 KB there; the
 * SDK sends at most 10 MB. What the service itself takes is not documented.
 */
export const MAX_FRAME_BYTES = 139_264

/** Longest text that can hold a frame. */
const LONGEST_TEXT = TEXT_PREFIX.length + Math.ceil((MAX_FRAME_BYTES * 4) / 3)

export function encodeText(frame: Uint8Array): string {
  return TEXT_PREFIX + toBase64url(frame)
}

/** The frame of a text, or null when it is not ours: no prefix, no canonical base64url, nothing in it, or too long. */
export function decodeText(text: string): Uint8Array | null {
  if (!text.startsWith(TEXT_PREFIX) || text.length > LONGEST_TEXT) return null
  try {
    const frame = fromBase64url(text.slice(TEXT_PREFIX.length))
    return frame.length > 0 ? frame : null
  } catch {
    return null // somebody's own text that begins like ours
  }
}
