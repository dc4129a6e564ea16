/** Registrations for opaque mirroring. */
import type { StoredMirror } from '../../port.ts'
import type { Database } from '../database.ts'

const COLUMNS = `m.id, w.wallet, m.network, m.topics, m.registration, m.created_at AS createdAt, m.updated_at AS updatedAt`

/** One of the same wallet and network that is there already keeps its id and its age. */
export function putMirror(database: Database, mirror: StoredMirror): StoredMirror {
  const { id, wallet, network, topics, registration, createdAt, updatedAt } = mirror
  const walletId = database.memberId(wallet)
  database.run(
    `INSERT INTO mirrors (id, wallet_id, network, topics, registration, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (wallet_id, network) DO UPDATE SET topics = excluded.topics, registration = excluded.registration,
       updated_at = excluded.updated_at`,
    id,
    walletId,
    network,
    topics,
    registration,
    createdAt,
    updatedAt,
  )
  const sql = `SELECT ${COLUMNS} FROM mirrors m JOIN wallets w ON w.id = m.wallet_id WHERE m.wallet_id = ? AND m.network = ?`
  return database.row<StoredMirror>(sql, walletId, network) ?? mirror
}

/** Of one wallet, by network. */
export function mirrorsOf(database: Database, wallet: string): StoredMirror[] {
  const sql = `SELECT ${COLUMNS} FROM mirrors m JOIN wallets w ON w.id = m.wallet_id WHERE m.wallet_id = ? ORDER BY m.network`
  return database.rows<StoredMirror>(sql, database.findWallet(wallet))
}

/** One page of all, along the primary key. */
export function listMirrors(
  database: Database,
  { afterId, limit }: { afterId: string; limit: number },
): StoredMirror[] {
  const sql = `SELECT ${COLUMNS} FROM mirrors m JOIN wallets w ON w.id = m.wallet_id WHERE m.id > ? ORDER BY m.id LIMIT ?`
  return database.rows<StoredMirror>(sql, afterId, limit)
}

/** Whether there was one. */
export function deleteMirror(database: Database, id: string): boolean {
  return database.run('DELETE FROM mirrors WHERE id = ?', id) > 0
}
