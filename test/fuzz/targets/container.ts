/** Inputs of several parts: CBOR that only the harness reads, leniently, so that every part may hold anything. */
import { decode, encode } from 'cborg'

export function packParts(...parts: readonly unknown[]): Uint8Array {
  return Uint8Array.from(encode(parts))
}

/** The parts, none when the mutator replaced the list itself. */
export function partsOf(container: Uint8Array): unknown[] {
  const value: unknown = decode(container, { useMaps: true })
  return Array.isArray(value) ? value : []
}

/** What is no byte string counts as an empty one: callers' types rule it out. */
export function bytesOrEmpty(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array()
}
