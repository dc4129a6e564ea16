/** Envelopes with whatever in them, rightly signed. */
import {
  directConversation,
  SUITE,
  sealEnvelope,
  signerFromDeviceKey,
  utf8Encode,
} from '../../src/envelope/index.ts'
import type { Person } from '../../src/http/testing/bench.ts'

export interface SealWithOptions {
  text?: string
  ext?: Record<string, unknown>
  parameters?: Record<string, string>
  fallback?: string | null
  contentType?: string
  /** X25519 public keys; with them the envelope is encrypted, else it is signed only. */
  keys?: Uint8Array[]
}

export function sealWith(
  from: Person,
  to: { wallet: string }[],
  options: SealWithOptions = {},
): Promise<{ id: Uint8Array; bytes: Uint8Array }> {
  const { text = 'hello', parameters = {}, fallback = null, keys = [] } = options
  const contentType = options.contentType ?? 'xmtp.org/text:1.0'
  return sealEnvelope({
    header: {
      suite: keys.length > 0 ? SUITE.x25519 : SUITE.none,
      from: from.wallet,
      device: from.device.publicKey,
      to: to.map(({ wallet }) => wallet),
      conversation: directConversation(from.wallet, to[0]!.wallet),
      contentType,
      created: Date.now(),
      ttl: 0,
      nonce: crypto.getRandomValues(new Uint8Array(16)),
      replyTo: null,
      flags: 0,
      ext: options.ext ?? {},
    },
    content: {
      salt: crypto.getRandomValues(new Uint8Array(16)),
      replaces: null,
      topicId: new Uint8Array(),
      expires: null,
      inReplyTo: null,
      contentType,
      parameters,
      fallback,
      content: utf8Encode(text),
    },
    recipients: keys.map((publicKey) => ({ publicKey })),
    sign: signerFromDeviceKey(from.device.privateKey),
  })
}
