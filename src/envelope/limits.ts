/** Size limits of version 1. They bound the work that an unverified byte string can cause; sizes are in bytes. */
export const LIMITS = {
  /** A sealed envelope with all of its wraps. */
  sealedBytes: 256 * 1024,
  /** The encoded header: room for 256 EVM recipients. */
  headerBytes: 16 * 1024,
  /** Encoded inner content that sealing accepts inline; more travels as an encrypted remote attachment. */
  inlineContentBytes: 8 * 1024,
  /** Recipient wallets in `to`. */
  recipients: 256,
  /** Key wraps: every device of every recipient, and the sender's own. */
  wraps: 512,
  /** One encapsulation or one wrapped key of a suite that this version does not know. */
  unknownSuiteFieldBytes: 4096,
  /** The encoded `ext` map of the header. */
  extBytes: 2048,
  /** Nesting inside `ext`, the map itself included. */
  extDepth: 4,
  /** Gateways that one frame may pass. */
  hops: 8,
  /** The sender's device certificate beside a frame. */
  certificateBytes: 4096,
  /** What a frame may add to the envelope in it: trace, certificate and framing. */
  frameOverheadBytes: 8 * 1024,
} as const
