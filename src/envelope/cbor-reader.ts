import { EnvelopeError } from './errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads one item of core deterministic CBOR (RFC 8949 section 4.2.1) in one pass, building the value as it goes: whatever has a
 * second form, or no place in the data model of version 1, is refused where it stands, so that nothing needs to be written out
 * again to be compared. Nesting is bounded before it is entered, and a head may not promise more items than bytes are left.
 *
 * Errors: `envelope-malformed`, `envelope-not-canonical`.
 */
export function readCanonical(bytes: Uint8Array, maxDepth: number): unknown {
  const reader = new Reader(bytes)
  const value = reader.item(maxDepth)
  if (reader.position !== bytes.length) throw malformed('is followed by other bytes')
  return value
}

class Reader {
  readonly #bytes: Uint8Array
  position = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** One item; `depth`: how many levels of arrays and maps may still be opened. */
  item(depth: number): unknown {
    const initial = this.#head()
    const major = initial >> 5
    switch (major) {
      case 0:
        return this.#safe(this.#argument(initial))
      case 1:
        return -this.#safe(this.#argument(initial) + 1)
      case 2:
        // A copy, because the caller may use the input again.
        return new Uint8Array(this.#string(this.#argument(initial)))
      case 3:
        return this.#text(this.#argument(initial))
      case 4:
        return this.#array(this.#items(this.#argument(initial), 1, depth), depth - 1)
      case 5:
        return this.#map(this.#items(this.#argument(initial), 2, depth), depth - 1)
      case 6:
        throw malformed('holds a tag; version 1 has none')
      default:
        return simple(initial)
    }
  }

  #head(): number {
    const initial = this.#bytes[this.position]
    if (initial === undefined) throw malformed('ends before its last item')
    this.position++
    return initial
  }

  /** The number in a head, in its shortest form. Beyond 2^53 it is not exact, and refused by whoever uses it. */
  #argument(initial: number): number {
    const additional = initial & 0x1f
    if (additional < 24) return additional
    if (additional === 31) throw notCanonical('indefinite length')
    if (additional > 27) throw malformed('holds a reserved length')
    const width = 1 << (additional - 24)
    const end = this.position + width
    if (end > this.#bytes.length) throw malformed('ends inside a length')
    let argument = 0
    while (this.position < end) argument = argument * 256 + this.#bytes[this.position++]!
    const least = width === 1 ? 24 : 2 ** (width * 4)
    if (argument < least) throw notCanonical('a number or length longer than it needs to be')
    return argument
  }

  #safe(number: number): number {
    if (!Number.isSafeInteger(number)) throw malformed('holds a number beyond 2^53')
    return number
  }

  #string(length: number): Uint8Array {
    const end = this.position + length
    if (end > this.#bytes.length) throw malformed('promises more than it holds')
    const view = this.#bytes.subarray(this.position, end)
    this.position = end
    return view
  }

  #text(length: number): string {
    const view = this.#string(length)
    if (view[0] === 0xef && view[1] === 0xbb && view[2] === 0xbf) {
      throw notCanonical('text that starts with a byte order mark')
    }
    try {
      return utf8.decode(view)
    } catch {
      // The only way in which a fatal decoder fails.
      throw notCanonical('text that is not UTF-8')
    }
  }

  #items(count: number, each: number, depth: number): number {
    if (count * each > this.#bytes.length - this.position) throw malformed('promises more than it holds')
    if (depth <= 0) throw malformed('nests deeper than its place allows')
    return count
  }

  #array(count: number, depth: number): unknown[] {
    const items: unknown[] = []
    for (let index = 0; index < count; index++) items.push(this.item(depth))
    return items
  }

  /** Keys are text, each greater in its encoding than the one before. */
  #map(count: number, depth: number): Record<string, unknown> {
    const map: Record<string, unknown> = {}
    let last: Uint8Array | null = null
    for (let index = 0; index < count; index++) {
      const start = this.position
      const initial = this.#head()
      if (initial >> 5 !== 3) throw malformed('has a map key that is not text')
      const name = this.#text(this.#argument(initial))
      const key = this.#bytes.subarray(start, this.position)
      const order = last === null ? 1 : compare(key, last)
      if (order === 0) throw malformed('repeats a map key')
      if (order < 0) throw notCanonical('map keys out of order')
      last = key
      const value = this.item(depth)
      if (name === '__proto__') {
        Object.defineProperty(map, name, { value, enumerable: true, configurable: true, writable: true })
      } else map[name] = value
    }
    return map
  }
}

function simple(initial: number): boolean | null {
  if (initial === 0xf4) return false
  if (initial === 0xf5) return true
  if (initial === 0xf6) return null
  throw malformed('holds a float or simple value other than true, false, null')
}

/** Bytewise lexicographic order (RFC 8949 section 4.2.1). */
function compare(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    if (left[index] !== right[index]) return left[index]! - right[index]!
  }
  return left.length - right.length
}

function malformed(reason: string): EnvelopeError {
  return new EnvelopeError('envelope-malformed', `The CBOR ${reason}`)
}

function notCanonical(reason: string): EnvelopeError {
  return new EnvelopeError(
    'envelope-not-canonical',
    `Not deterministic CBOR (RFC 8949 section 4.2.1): ${reason}`,
  )
}
