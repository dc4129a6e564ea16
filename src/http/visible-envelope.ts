/** Who may see an envelope. */
import type { StoredEnvelope } from '../store/port.ts'
import { type AppContext, sessionOf } from './context.ts'
import { HttpError } from './errors.ts'

export interface VisibleEnvelope {
  envelope: StoredEnvelope
  /** Of the session. */
  wallet: string
  /** The session's wallet sent it, and sees what became of it for everybody. */
  isSender: boolean
}

/** The envelope, for its sender and recipients; to anyone else it does not exist. Errors: `envelope-not-found`. */
export async function visibleEnvelope(context: AppContext, id: Uint8Array): Promise<VisibleEnvelope> {
  const envelope = await context.get('services').store.getEnvelope(id)
  const { wallet } = sessionOf(context)
  const holds = envelope?.wallets.includes(wallet) ?? false
  // `from` of a hop envelope is what a gateway says: the wallet of that name has no part in it, unless it has it in its inbox.
  const isSender = envelope?.from === wallet && (envelope.mode !== 'hop' || holds)
  if (!envelope || !(isSender || holds)) {
    throw new HttpError(
      'envelope-not-found',
      'There is no envelope with this id for the wallet of the session',
    )
  }
  return { envelope, wallet, isSender }
}
