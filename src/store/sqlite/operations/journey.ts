import type { Checkpoint } from '../../port.ts'
import type { Database } from '../database.ts'

/** Appends checkpoints to the journey of a kept envelope; those of one that is unknown or pruned have nowhere to go. */
export function addCheckpoints(
  database: Database,
  { envelopeId, checkpoints }: { envelopeId: Uint8Array; checkpoints: Checkpoint[] },
): void {
  const envelope = database.row<{ seq: number }>(
    'SELECT seq FROM envelopes WHERE id = ? AND bytes IS NOT NULL',
    envelopeId,
  )
  if (envelope === null) return
  for (const checkpoint of checkpoints) {
    appendCheckpoint(
      database,
      envelope.seq,
      checkpoint,
      checkpoint.wallet === null ? null : database.walletId(checkpoint.wallet),
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
    `INSERT INTO checkpoints (seq, name, status, at, monotonic, delivery_id, network, wallet_id, detail)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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

export function journey(database: Database, envelopeId: Uint8Array): Checkpoint[] {
  return database.rows<Checkpoint>(
    `SELECT c.name, c.status, c.at, c.monotonic, c.delivery_id AS deliveryId, c.network, w.wallet, c.detail
     FROM checkpoints c LEFT JOIN wallets w ON w.id = c.wallet_id
     WHERE c.seq = (SELECT seq FROM envelopes WHERE id = ?) ORDER BY c.number`,
    envelopeId,
  )
}
