/**
 * Opaque mirroring: a network's own ciphertext, read without keys, is handed to the gateway byte for byte, and the wallet's
 * own software opens it at the other end.
 */
import type { z } from 'zod'
import type { DeliverResult } from './contract.ts'

/** Follows conversations of wallets that asked for it, without being able to read them. */
export interface OpaqueFacet {
  /**
   * What a wallet gives for this network: the body of `PUT /v1/mirrors/<network>`. Strict; its output survives JSON, holds no
   * more than what following needs, and is kept encrypted, since it may hold keys.
   */
  registration: z.ZodType
  /** How many topics a registration follows, for the limit on topics. Given the output of `registration`. */
  topics(registration: unknown): number
  /**
   * Why this wallet may not register this: a member and one sentence, `account: is not the account of this wallet`. Null when
   * it may. Absent: any wallet may register what the schema takes.
   */
  objection?(wallet: string, registration: unknown): string | null
  /**
   * Begins to follow, or goes on with a registration that has changed: a mirror that is followed already is replaced, and
   * nothing is lost meanwhile. Resolves when the registration is in force; trouble with the connection is no reason to
   * reject, what was missed is caught up with. Called for every mirror of a new instance too, before its `start`, which then takes
   * them up. Cursors are the adapter's, in `context.storage`.
   */
  follow(mirror: Mirror, signal: AbortSignal): Promise<void>
  /** Ends following and forgets the cursors. Nothing is delivered for this mirror afterwards. Unknown ids are ignored. */
  unfollow(id: string, signal: AbortSignal): Promise<void>
}

/** One wallet's registration for one network. */
export interface Mirror {
  /** 32 lower-case hex characters. Stays the same when the registration changes. */
  id: string
  /** walletKey, e.g. `eip155:*:0x…` */
  wallet: string
  /** Output of the facet's `registration`. */
  registration: unknown
}

/** What was heard for one mirror. */
export interface OpaqueInbound {
  /** Id of the mirror that it is for. Heard for several mirrors, it is delivered once for each. */
  mirror: string
  /** The network's own id of the message; the same when it is heard again. At most 512 characters. */
  remoteId: string
  /** `wake`: something came that only the wallet's own software can fetch; `bytes` is empty. */
  kind: 'message' | 'wake'
  /** The network's own message, byte for byte. */
  bytes: Uint8Array
  /** The network's own topic, as text. Deliver those of one topic one after the other: they are relayed in that order. */
  conversation: string
  /** The network's own time of the message, Unix milliseconds, where it has one. */
  remoteTime: number | null
  /** The sender asked for no notification. */
  silent: boolean
  via: 'stream' | 'history'
}

/** Takes what a mirror heard. Resolves when it is durable (or known, or refused); rejects when it is not. */
export type DeliverOpaque = (inbound: OpaqueInbound) => Promise<DeliverResult>
