import type { Checkpoint } from '../../port.ts'
import type { Database } from '../database.ts'
import type { Moment } from './operation.ts'

/** Appends checkpoints to the journey of a kept envelope; those of one that is unknown or pruned have nowhere to go. */
export function addCheckpoints(
  database: Database,
  { envelopeId, checkpoints }: { envelopeId: Uint8Array; checkpoints: Checkpoint[] },
  { at }: Moment,
): void {
  const envelope = database.row<{ seq: number }>(
    'SELECT seq FROM envelopes WHERE seq = ? AND bytes IS NOT NULL',
    database.recent.seqOf(envelopeId),
  )
  if (envelope === null) return
  for (const checkpoint of checkpoints) {
    appendCheckpoint(
      database,
      envelope.seq,
      checkpoint,
      checkpoint.wallet === null ? null : database.walletId(checkpoint.wallet, at),
    )
  }
}

export function appendCheckpoint(
  database: Database,
  seq: number,
  checkpoint: Omit<Checkpoint, 'wallet'>,
  walletId: number | null,
): void {
  database.run(
    `INSERT INTO checkpoints (seq, number, name, status, at, monotonic, delivery_id, network, wallet_id, detail)
     VALUES (?, (SELECT ifnull(max(number), 0) + 1 FROM checkpoints WHERE seq = ?), ?, ?, ?, ?, ?, ?, ?, ?)`,
    seq,
    seq,
    checkpoint.name,
    checkpoint.status,
    checkpoint.at,
    checkpoint.monotonic,
    checkpoint.deliveryId,
    checkpoint.network,
    walletId,
    checkpoint.detail,
  )
}

/** `accepted` and `persisted` are kept with the envelope itself, since every envelope has them. */
export function journey(database: Database, envelopeId: Uint8Array): Checkpoint[] {
  const envelope = database.row<EnvelopeTimes>(
    `SELECT seq, via, received_at AS acceptedAt, accepted_monotonic AS acceptedMonotonic, persisted_at AS persistedAt,
       persisted_monotonic AS persistedMonotonic
     FROM envelopes WHERE seq = ? AND bytes IS NOT NULL`,
    database.recent.seqOf(envelopeId),
  )
  if (envelope === null) return []
  const { seq, via, acceptedAt, acceptedMonotonic, persistedAt, persistedMonotonic } = envelope
  const common = { status: 'success', deliveryId: null, network: via, wallet: null, detail: null } as const
  const later = database.rows<Checkpoint>(
    `SELECT c.name, c.status, c.at, c.monotonic, c.delivery_id AS deliveryId, c.network, w.wallet, c.detail
     FROM checkpoints c LEFT JOIN wallets w ON w.id = c.wallet_id WHERE c.seq = ? ORDER BY c.number`,
    seq,
  )
  return [
    { name: 'accepted', at: acceptedAt, monotonic: acceptedMonotonic, ...common },
    { name: 'persisted', at: persistedAt, monotonic: persistedMonotonic, ...common },
    ...later,
  ]
}

interface EnvelopeTimes {
  seq: number
  via: string
  acceptedAt: number
  acceptedMonotonic: number
  persistedAt: number
  persistedMonotonic: number
}
