/**
 * The master key, and what it keeps: secrets of enrolments are encrypted before they reach the store. A stolen database or
 * backup without this key opens none of them.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decodeCanonical,
  encodeCanonical,
  fromBase64url,
  fromHex,
  H,
  toBase64url,
  toHex,
} from './envelope/index.ts'

export const MASTER_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const KEY_ID_BYTES = 8
/** A wallet's registration for mirroring names thousands of conversations with their keys. */
const MAX_WRAPPED_BYTES = 4 * 1024 * 1024

/** What a wrapped secret is for; it opens for the same alone. */
export interface Purpose {
  id: string
  network: string
}

export interface Custody {
  /** Encrypts under the current master key. */
  wrap(secret: Uint8Array, purpose: Purpose): Uint8Array
  /**
   * `stale`: wrapped by an earlier master key; wrap it anew. Throws {@link CustodyError}.
   */
  unwrap(wrapped: Uint8Array, purpose: Purpose): { secret: Uint8Array; stale: boolean }
}

/** A secret cannot be read: it was wrapped by a master key that is not configured, or altered. */
export class CustodyError extends Error {
  override readonly name = 'CustodyError'
  readonly code: 'custody-key-missing' | 'custody-damaged'

  constructor(code: CustodyError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * AES-256-GCM with a random nonce. A wrapped secret is canonical CBOR `[1, key id, nonce, ciphertext and tag]`; the network and
 * the id that it belongs to are authenticated with it.
 *
 * @example const custody = createCustody({ key: await loadMasterKey(…), previous: [] })
 */
export function createCustody(options: { key: Uint8Array; previous: readonly Uint8Array[] }): Custody {
  const current = keyIdOf(options.key)
  const keys = new Map([...options.previous, options.key].map((key) => [toHex(keyIdOf(key)), key]))

  return {
    wrap(secret, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', options.key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(associated(purpose))
      const sealed = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
      return encodeCanonical([1, current, new Uint8Array(nonce), new Uint8Array(sealed)])
    },
    unwrap(wrapped, purpose) {
      const { keyId, nonce, sealed } = read(wrapped)
      const key = keys.get(toHex(keyId))
      if (!key) {
        throw new CustodyError(
          'custody-key-missing',
          'A secret was wrapped by a master key that is not configured; add it to enrolments.previousMasterKeys',
        )
      }
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
        decipher.setAAD(associated(purpose))
        decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
        const secret = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()])
        return { secret: new Uint8Array(secret), stale: toHex(keyId) !== toHex(current) }
      } catch (cause) {
        throw new CustodyError(
          'custody-damaged',
          'A wrapped secret was altered, or belongs to something else',
          {
            cause,
          },
        )
      }
    },
  }
}

function keyIdOf(key: Uint8Array): Uint8Array {
  if (key.length !== MASTER_KEY_BYTES) throw new RangeError(`a master key has ${MASTER_KEY_BYTES} bytes`)
  return H('causeway/master-key-id/1', key).slice(0, KEY_ID_BYTES)
}

function associated({ network, id }: Purpose): Uint8Array {
  return encodeCanonical(['causeway/wallet-secret/1', network, id])
}

function read(wrapped: Uint8Array): { keyId: Uint8Array; nonce: Uint8Array; sealed: Uint8Array } {
  try {
    const value = decodeCanonical(wrapped, { maxBytes: MAX_WRAPPED_BYTES, maxDepth: 1 })
    const [version, keyId, nonce, sealed] = value as [unknown, Uint8Array, Uint8Array, Uint8Array]
    if (
      version === 1 &&
      keyId.length === KEY_ID_BYTES &&
      nonce.length === NONCE_BYTES &&
      sealed.length >= TAG_BYTES
    ) {
      return { keyId, nonce, sealed }
    }
  } catch (cause) {
    throw new CustodyError('custody-damaged', 'A wrapped secret cannot be read', { cause })
  }
  throw new CustodyError('custody-damaged', 'A wrapped secret is of another version')
}

/** 32 bytes as 64 hexadecimal characters, or as base64url; null for anything else. */
export function parseMasterKey(text: string): Uint8Array | null {
  try {
    const bytes = /^[0-9a-f]{64}$/i.test(text) ? fromHex(text.toLowerCase()) : fromBase64url(text)
    return bytes.length === MASTER_KEY_BYTES ? bytes : null
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
}

/**
 * The master key of a data folder: `master.key`, readable by its owner alone, made when there is none. For gateways that are
 * given none by their configuration; it then stands beside what it protects, and `made` says so to the operator.
 */
export async function loadMasterKey(directory: string, made: (path: string) => void): Promise<Uint8Array> {
  const path = join(directory, 'master.key')
  try {
    const key = parseMasterKey((await readFile(path, 'utf8')).trim())
    if (key) return key
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const key = new Uint8Array(randomBytes(MASTER_KEY_BYTES))
    await mkdir(directory, { recursive: true, mode: 0o700 })
    // On disk before it has its name: a loss of power leaves a whole key or none.
    await writeFile(`${path}.new`, toBase64url(key), { mode: 0o600, flush: true })
    await rename(`${path}.new`, path)
    made(path)
    return key
  }
  throw new Error(`${path} holds no master key; restore it from a backup, or enrolments cannot be opened`)
}
