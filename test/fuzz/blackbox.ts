/** The last input of a thread, readable by another one. */
import type { Input } from './target.ts'

const HEAD_BYTES = 12
const CAPACITY = 1024 * 1024

export type Blackbox = SharedArrayBuffer

/** Layout: inputs so far, length in bytes (0x80000000 added for text), content: bytes or UTF-16. */
export function createBlackbox(): Blackbox {
  return new SharedArrayBuffer(HEAD_BYTES + CAPACITY)
}

export function record(blackbox: Blackbox, input: Input, count: number): void {
  const view = new DataView(blackbox)
  const content = typeof input === 'string' ? Buffer.from(input, 'utf16le') : input
  const length = Math.min(content.length, CAPACITY)
  new Uint8Array(blackbox, HEAD_BYTES).set(content.subarray(0, length))
  view.setUint32(4, length)
  view.setUint32(8, typeof input === 'string' ? 1 : 0)
  Atomics.store(new Int32Array(blackbox, 0, 1), 0, count + 1)
}

/** No input so far. */
export function reset(blackbox: Blackbox): void {
  Atomics.store(new Int32Array(blackbox, 0, 1), 0, 0)
}

export function recorded(blackbox: Blackbox): { input: Input; count: number } {
  const view = new DataView(blackbox)
  const bytes = Uint8Array.from(new Uint8Array(blackbox, HEAD_BYTES, view.getUint32(4)))
  const text = view.getUint32(8) === 1
  return {
    input: text ? Buffer.from(bytes).toString('utf16le') : bytes,
    count: Atomics.load(new Int32Array(blackbox, 0, 1), 0),
  }
}
