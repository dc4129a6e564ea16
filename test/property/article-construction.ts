/**
 * The end-to-end encryption of the article "Web3 Messaging: How Decentralized Communication Works (And How to Build It)"
 * (Tencent RTC blog, 27 May 2026), step 2, as it stands there: the subject of the attack tests, not a part of Causeway.
 *
 * Changed only so that it runs: import paths of noble 2, byte strings where noble 2 takes no text, types. The chat SDK is
 * replaced by {@link ArticleServer}, which does what the article's server can do: keep profiles and pass messages on.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { randomBytes } from '@noble/hashes/utils.js'

export const ARTICLE_KEY_TEXT = 'Web3 Chat E2E Encryption Key Derivation v1'
export const ARTICLE_PROFILE_FIELD = 'Tag_Profile_Custom_E2EPubKey'

const utf8 = (text: string) => new TextEncoder().encode(text)

export interface ArticlePayload {
  ciphertext: string
  nonce: string
  senderPublicKey: string
  algorithm: string
  version: number
}

export class E2EEncryption {
  privateKey: Uint8Array
  publicKey: Uint8Array
  sharedSecrets = new Map<string, Uint8Array>()

  constructor() {
    this.privateKey = randomBytes(32)
    this.publicKey = x25519.getPublicKey(this.privateKey)
  }

  getPublicKeyHex(): string {
    return Buffer.from(this.publicKey).toString('hex')
  }

  static async fromWalletSignature(signer: {
    signMessage(text: string): Promise<string> | string
  }): Promise<E2EEncryption> {
    const sig = await signer.signMessage(ARTICLE_KEY_TEXT)
    const keyMaterial = sha256(utf8(sig))
    const privateKey = hkdf(sha256, keyMaterial, utf8(''), utf8('x25519-key'), 32)
    const instance = new E2EEncryption()
    instance.privateKey = privateKey
    instance.publicKey = x25519.getPublicKey(privateKey)
    return instance
  }

  encrypt(recipientPublicKeyHex: string, plaintext: string): ArticlePayload {
    const sharedSecret = this.#sharedSecret(recipientPublicKeyHex)
    const nonce = randomBytes(24)
    const ciphertext = xchacha20poly1305(sharedSecret, nonce).encrypt(utf8(plaintext))
    return {
      ciphertext: Buffer.from(ciphertext).toString('base64'),
      nonce: Buffer.from(nonce).toString('base64'),
      senderPublicKey: this.getPublicKeyHex(),
      algorithm: 'x25519-xchacha20poly1305',
      version: 1,
    }
  }

  decrypt(encryptedPayload: ArticlePayload): string {
    const { ciphertext, nonce, senderPublicKey } = encryptedPayload
    const cipher = xchacha20poly1305(this.#sharedSecret(senderPublicKey), Buffer.from(nonce, 'base64'))
    return new TextDecoder().decode(cipher.decrypt(Buffer.from(ciphertext, 'base64')))
  }

  /** The article has these lines twice, in encrypt and in decrypt. */
  #sharedSecret(peerKeyHex: string): Uint8Array {
    let sharedSecret = this.sharedSecrets.get(peerKeyHex)
    if (!sharedSecret) {
      const rawSecret = x25519.getSharedSecret(this.privateKey, Buffer.from(peerKeyHex, 'hex'))
      sharedSecret = hkdf(sha256, rawSecret, utf8(''), utf8('chat-encryption'), 32)
      this.sharedSecrets.set(peerKeyHex, sharedSecret)
    }
    return sharedSecret
  }
}

/** A chat message as the SDK hands it over; `from` is what the server says. */
export interface ArticleMessage {
  from: string
  to: string
  data: string
}

/** The chat service: keeps profiles, passes messages on, and is not trusted with content. */
export class ArticleServer {
  profiles = new Map<string, Record<string, string>>()
  #listeners = new Map<string, (message: ArticleMessage) => void>()

  /** Passes a message to its recipient. Whoever runs the service, or holds its admin key, chooses `from`. */
  deliver(message: ArticleMessage): void {
    this.#listeners.get(message.to)?.(message)
  }

  listen(userId: string, listener: (message: ArticleMessage) => void): void {
    this.#listeners.set(userId, listener)
  }
}

export class EncryptedMessenger {
  peerKeys = new Map<string, string>()
  /** What the application shows: the article's `onMessage` calls. */
  shown: { from: string; content: string }[] = []
  readonly #server: ArticleServer
  readonly e2e: E2EEncryption
  readonly userId: string

  constructor(server: ArticleServer, e2e: E2EEncryption, userId: string) {
    this.#server = server
    this.e2e = e2e
    this.userId = userId
    server.profiles.set(userId, { [ARTICLE_PROFILE_FIELD]: e2e.getPublicKeyHex() })
    server.listen(userId, (message) => {
      const data = JSON.parse(message.data) as { type: string; payload: ArticlePayload }
      if (data.type === 'E2E_MESSAGE')
        this.shown.push({ from: message.from, content: this.e2e.decrypt(data.payload) })
    })
  }

  resolvePeerKey(recipientUserId: string): string {
    const cached = this.peerKeys.get(recipientUserId)
    if (cached !== undefined) return cached
    const key = this.#server.profiles.get(recipientUserId)?.[ARTICLE_PROFILE_FIELD]
    if (!key) throw new Error(`Recipient ${recipientUserId} has no E2E public key`)
    this.peerKeys.set(recipientUserId, key)
    return key
  }

  /** Sends, and returns what the server saw. */
  sendEncrypted(recipientUserId: string, plaintext: string): ArticleMessage {
    const payload = this.e2e.encrypt(this.resolvePeerKey(recipientUserId), plaintext)
    const message = articleMessage(this.userId, recipientUserId, payload)
    this.#server.deliver(message)
    return message
  }
}

/** Wraps a payload as the article's `sendEncrypted` does. */
export function articleMessage(from: string, to: string, payload: ArticlePayload): ArticleMessage {
  return { from, to, data: JSON.stringify({ type: 'E2E_MESSAGE', version: 1, payload }) }
}

/** The payload inside a message that the server saw. */
export function payloadOf(message: ArticleMessage): ArticlePayload {
  return (JSON.parse(message.data) as { payload: ArticlePayload }).payload
}
