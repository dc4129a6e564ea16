/** What the adapter and the thread of the SDK tell each other. Plain data. */
import type { HttpAnswer, HttpCall } from '../rest.ts'

/** A message as the SDK takes it: `Text`, `Reply`, `Reaction`, … */
export interface SdkMessage {
  type: string
  /** Text; of a `Reply` a message again. */
  content: string | { type: string; content: string }
  /** cid of the message that it is about. */
  reference?: string
}

export type Task =
  /** Opens the account's PGP key, or makes a profile where there is none. */
  | { kind: 'unlock'; environment: string; walletKey: string }
  /** Takes an account in by its PGP key (armored), which has to be the one of its profile. */
  | { kind: 'admit'; environment: string; did: string; key: string }
  /** Forgets an account and its key. */
  | { kind: 'dismiss' }
  | { kind: 'send'; to: string; message: SdkMessage }
  | { kind: 'accept'; from: string }
  /** Checks the signature of a message and decrypts it. */
  | { kind: 'open'; message: Record<string, unknown> }

export type ToThread =
  | { type: 'task'; id: number; account: string; task: Task }
  | { type: 'answer'; id: number; answer: HttpAnswer }
  | { type: 'no-answer'; id: number }

export type FromThread =
  | { type: 'done'; id: number; value: unknown }
  | { type: 'failed'; id: number; reason: string }
  /** An HTTP call of the SDK, made for a task. */
  | { type: 'call'; id: number; task: number; call: HttpCall }

export interface Opened {
  /** The message's `{content, reference?, …}`, null when it could not be opened. */
  object: Record<string, unknown> | null
  /** Why it could not. */
  reason: 'badly-signed' | 'undecryptable' | null
}
