import { decodeSealed, equalBytes, mergeWraps, type SealedEnvelope } from '../envelope/index.ts'
import type { StoredEnvelope } from '../store/port.ts'
import type { Verdict } from './consent.ts'
import type { Frames } from './frames.ts'
import type { RelayContext } from './parts.ts'
import type { LivePublisher } from './types.ts'

/** Puts copies of one envelope together: each may carry other key wraps. */
export interface Copies {
  /**
   * Keeps the wraps of a further copy that the stored one lacks, and tells live subscribers of the item anew. Whoever is the
   * first to hand over a copy can drop wraps from it, and must not keep them from the devices that they are for.
   *
   * The copy needs no check: only wraps come in whose digests are under the signature of the stored one.
   */
  complete(copy: SealedEnvelope): Promise<void>
}

export function createCopies(
  { store, live, settings, consents }: Pick<RelayContext, 'store' | 'live' | 'settings' | 'consents'>,
  frames: Frames,
): Copies {
  return {
    async complete(copy) {
      const stored = await frames.envelope(copy.id)
      if (!stored || equalBytes(stored.bytes, copy.bytes)) return
      const kept = decodeSealed(stored.bytes)
      const bytes = mergeWraps(kept, copy)
      if (!bytes || bytes.length > settings.maxEnvelopeBytes) return
      await store.mergeEnvelope(copy.id, bytes)
      const completed = { ...stored, bytes }
      frames.remember(completed)
      const verdict = await consents.judge(completed, completed.wallets)
      publishItems(live, completed, kept.header.to, { verdict, completed: true })
    },
  }
}

/**
 * Tells the live subscribers of every wallet that has the envelope in its inbox and did not deny it. `to`: the envelope's
 * recipients.
 */
export function publishItems(
  live: LivePublisher,
  envelope: StoredEnvelope,
  to: readonly string[],
  { verdict = null, completed = false }: { verdict?: Verdict | null; completed?: boolean } = {},
): void {
  const {
    seq,
    id,
    mode,
    from,
    conversation,
    contentType,
    flags,
    created,
    receivedAt,
    via,
    bytes,
    certificate,
  } = envelope
  for (const wallet of envelope.wallets) {
    if (verdict?.hidden.includes(wallet)) continue
    live.publish(
      wallet,
      {
        seq,
        id,
        // What a wallet sends by hop mode to a group is addressed to itself.
        direction: to.includes(wallet) && !(mode === 'hop' && from === wallet) ? 'received' : 'sent',
        mode,
        from,
        conversation,
        contentType,
        flags,
        created,
        receivedAt,
        via,
        bytes,
        certificate,
      },
      { completed, quiet: verdict?.quiet.includes(wallet) ?? false },
    )
  }
}
