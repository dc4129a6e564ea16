/**
 * A second reader of version 1 envelopes, written from docs/reference/envelope-v1.md on node:crypto alone. It shares no code with
 * src/envelope, so that an error in both the code and its own tests still shows.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  type KeyObject,
  verify,
} from 'node:crypto'
import { decode, encode, rfc8949EncodeOptions } from 'cborg'

type Bytes = Uint8Array
const text = (value: string) => Buffer.from(value, 'utf8')
const cbor = (value: unknown) => encode(value, rfc8949EncodeOptions)

function tagged(tag: string, ...parts: Bytes[]): Bytes {
  const hash = createHash('sha256')
  for (const part of [text(tag), ...parts]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(part.length)
    hash.update(length).update(part)
  }
  return hash.digest()
}

function openAead(key: Bytes, nonce: Bytes, aad: Bytes, sealed: Bytes): Bytes {
  const cipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  cipher.setAAD(aad, { plaintextLength: sealed.length - 16 })
  cipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([cipher.update(sealed.subarray(0, -16)), cipher.final()])
}

// RFC 9180 section 4, for HKDF-SHA256.
function labeledExtract(suiteId: Bytes, salt: Bytes, label: string, input: Bytes): Bytes {
  return createHmac('sha256', salt).update('HPKE-v1').update(suiteId).update(label).update(input).digest()
}

function labeledExpand(suiteId: Bytes, key: Bytes, label: string, info: Bytes, length: number): Bytes {
  const head = Buffer.from([length >> 8, length & 255])
  const block = createHmac('sha256', key)
    .update(head)
    .update('HPKE-v1')
    .update(suiteId)
    .update(label)
    .update(info)
  return block.update(Buffer.of(1)).digest().subarray(0, length)
}

// RFC 8410 for X25519; RFC 9935 (ML-KEM-768, seed only).
function privateKeyOf(kind: 'x25519' | 'ml-kem-768', raw: Bytes): KeyObject {
  const prefix = {
    x25519: '302e020100300506032b656e04220420',
    'ml-kem-768': '3054020100300b060960864801650304040204428040',
  }[kind]
  return createPrivateKey({
    key: Buffer.concat([Buffer.from(prefix, 'hex'), raw]),
    format: 'der',
    type: 'pkcs8',
  })
}

function publicKeyOf(curve: 'X25519' | 'Ed25519', raw: Bytes): KeyObject {
  const x = Buffer.from(raw).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: curve, x }, format: 'jwk' })
}

function rawPublicKey(privateKey: KeyObject): Bytes {
  return Buffer.from(createPublicKey(privateKey).export({ format: 'jwk' }).x!, 'base64url')
}

// RFC 9180 section 4.1.
function x25519SharedSecret(privateKey: Bytes, encapsulation: Bytes): Bytes {
  const suiteId = Buffer.concat([text('KEM'), Buffer.of(0, 0x20)])
  const own = privateKeyOf('x25519', privateKey)
  const shared = diffieHellman({ privateKey: own, publicKey: publicKeyOf('X25519', encapsulation) })
  const context = Buffer.concat([encapsulation, rawPublicKey(own)])
  const extracted = labeledExtract(suiteId, Buffer.alloc(0), 'eae_prk', shared)
  return labeledExpand(suiteId, extracted, 'shared_secret', context, 32)
}

// draft-connolly-cfrg-xwing-kem section 5.
function xwingSharedSecret(seed: Bytes, encapsulation: Bytes): Bytes {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
  const own = privateKeyOf('x25519', expanded.subarray(64))
  const lattice = decapsulate(
    privateKeyOf('ml-kem-768', expanded.subarray(0, 64)),
    encapsulation.subarray(0, 1088),
  )
  const curve = encapsulation.subarray(1088)
  const shared = diffieHellman({ privateKey: own, publicKey: publicKeyOf('X25519', curve) })
  const hash = createHash('sha3-256').update(lattice).update(shared).update(curve).update(rawPublicKey(own))
  return hash.update(Buffer.from('5c2e2f2f5e5c', 'hex')).digest()
}

// RFC 9180 section 5.1, base mode; the first message of the context.
function openWrap(
  suite: number,
  privateKey: Bytes,
  encapsulation: Bytes,
  info: Bytes,
  aad: Bytes,
  sealed: Bytes,
): Bytes {
  const kem = suite === 1 ? [0x00, 0x20] : [0x64, 0x7a]
  const suiteId = Buffer.concat([text('HPKE'), Buffer.from([...kem, 0x00, 0x01, 0x00, 0x03])])
  const shared = (suite === 1 ? x25519SharedSecret : xwingSharedSecret)(privateKey, encapsulation)
  const empty = Buffer.alloc(0)
  const pskIdHash = labeledExtract(suiteId, empty, 'psk_id_hash', empty)
  const context = Buffer.concat([Buffer.of(0), pskIdHash, labeledExtract(suiteId, empty, 'info_hash', info)])
  const secret = labeledExtract(suiteId, shared, 'secret', empty)
  const key = labeledExpand(suiteId, secret, 'key', context, 32)
  return openAead(key, labeledExpand(suiteId, secret, 'base_nonce', context, 12), aad, sealed)
}

/** Verifies and opens an envelope; returns its id, the decoded header array and the inner content before decoding. */
export function readEnvelope(
  bytes: Bytes,
  key: { publicKey: Bytes; privateKey: Bytes } | undefined,
): { id: Bytes; header: unknown[]; content: Bytes } {
  const [headerBytes, body, wraps, digests, signature] = decode(bytes) as [
    Bytes,
    Bytes,
    Bytes[][],
    Bytes[],
    Bytes,
  ]
  const header = decode(headerBytes) as unknown[]
  const bodyHash = tagged('causeway/body/1', body)
  const id = tagged('causeway/envelope-id/1', headerBytes, bodyHash)
  const signed = cbor(['causeway/sig/1', headerBytes, bodyHash, digests])
  if (!verify(null, signed, publicKeyOf('Ed25519', header[3] as Bytes), signature))
    throw new Error('signature')

  let padded = body
  if (key !== undefined) {
    const keyId = tagged('causeway/key-id/1', key.publicKey).subarray(0, 16)
    const wrap = wraps.find(([id]) => Buffer.compare(id!, keyId) === 0)!
    const digest = tagged('causeway/wrap-digest/1', ...wrap).subarray(0, 16)
    if (!digests.some((listed) => Buffer.compare(listed, digest) === 0)) throw new Error('wrap digest')
    const info = cbor(['causeway/wrap/1', header[1], headerBytes, bodyHash, new Uint8Array(keyId)])
    const contentKey = openWrap(header[1] as number, key.privateKey, wrap[1]!, info, headerBytes, wrap[2]!)
    const commitment = tagged('causeway/commit/1', contentKey, headerBytes)
    if (Buffer.compare(commitment, body.subarray(0, 32)) !== 0) throw new Error('commitment')
    padded = openAead(contentKey, Buffer.alloc(12), headerBytes, body.subarray(32))
  }
  return { id, header, content: padded.subarray(0, padded.lastIndexOf(0x80)) }
}
