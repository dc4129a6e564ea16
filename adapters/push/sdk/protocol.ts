/** What the adapter and the thread of the SDK tell each other. Plain data. */
import type { HttpAnswer, HttpCall } from '../rest.ts'

export type Task =
  /** Opens the account's PGP key, or makes a profile where there is none. */
  | { kind: 'unlock'; environment: string; walletKey: string }
  | { kind: 'send'; to: string; content: string }
  | { kind: 'accept'; from: string }
  /** Checks the signature of a message and decrypts it. */
  | { kind: 'open'; message: Record<string, unknown> }

export type ToThread =
  | { type: 'task'; id: number; task: Task }
  | { type: 'answer'; id: number; answer: HttpAnswer }
  | { type: 'no-answer'; id: number }

export type FromThread =
  | { type: 'done'; id: number; value: unknown }
  | { type: 'failed'; id: number; reason: string }
  /** An HTTP call of the SDK, made for a task. */
  | { type: 'call'; id: number; task: number; call: HttpCall }

export interface Opened {
  /** Content of the message, null when it could not be opened. */
  content: unknown
  /** Why it could not. */
  reason: 'badly-signed' | 'undecryptable' | null
}
