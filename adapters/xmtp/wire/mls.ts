/**
 * What can be read of an MLS message without its keys (RFC 9420, sections 6 and 10): who owns a key package, and to which
 * group and epoch a message belongs. Nothing is validated.
 */

/** An installation's id is the signature key of its leaf. Throws `RangeError` for bytes that are no key package. */
export function installationKeyOf(keyPackage: Uint8Array): Uint8Array {
  const reader = new Reader(keyPackage)
  reader.skip(4) // version, cipher suite
  reader.vector() // init key
  reader.vector() // leaf: encryption key
  const signatureKey = reader.vector()
  if (signatureKey.length === 0) throw new RangeError('the key package names no signature key')
  return signatureKey
}

export interface MlsMessageHeader {
  groupId: Uint8Array
  epoch: bigint
  /** Adds, removals and other changes of the group's state, which begin a new epoch. */
  isCommit: boolean
}

const WIRE_FORMAT_PUBLIC = 1
const WIRE_FORMAT_PRIVATE = 2
const CONTENT_TYPE_COMMIT = 3
const SENDER_MEMBER = 1
const SENDER_EXTERNAL = 2

/** Reads the part of an MLS public or private message that is not encrypted. Throws `RangeError` for other bytes. */
export function readMlsMessageHeader(message: Uint8Array): MlsMessageHeader {
  const reader = new Reader(message)
  reader.skip(2) // version
  const wireFormat = reader.uint16()
  if (wireFormat !== WIRE_FORMAT_PUBLIC && wireFormat !== WIRE_FORMAT_PRIVATE) {
    throw new RangeError(`MLS wire format ${wireFormat} is no group message`)
  }
  const groupId = reader.vector()
  const epoch = reader.uint64()
  if (wireFormat === WIRE_FORMAT_PUBLIC) {
    const sender = reader.uint8()
    if (sender === SENDER_MEMBER || sender === SENDER_EXTERNAL) reader.skip(4)
    reader.vector() // authenticated data
  }
  return { groupId, epoch, isCommit: reader.uint8() === CONTENT_TYPE_COMMIT }
}

/** The presentation language of TLS, with vectors of variable size as RFC 9420 encodes them (section 2.1.2). */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    // Of a Buffer, `slice` would give a view and no copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1))
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2))
  }

  uint64(): bigint {
    return this.#view.getBigUint64(this.#advance(8))
  }

  skip(count: number): void {
    this.#advance(count)
  }

  vector(): Uint8Array {
    const first = this.uint8()
    const followingBytes = (1 << (first >> 6)) - 1
    if (followingBytes > 3) throw new RangeError('a vector has no valid length')
    let length = first & 0x3f
    for (let index = 0; index < followingBytes; index++) length = length * 256 + this.uint8()
    const start = this.#advance(length)
    return this.#bytes.slice(start, start + length)
  }

  /** Offset before the step. */
  #advance(count: number): number {
    const start = this.#offset
    if (count > this.#bytes.length - start) throw new RangeError('the message ends too early')
    this.#offset = start + count
    return start
  }
}
