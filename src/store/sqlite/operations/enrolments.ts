/** Enrolments of hop mode. */
import type { NewEnrolment, StoredEnrolment } from '../../port.ts'
import type { Database } from '../database.ts'

const COLUMNS = `e.id, w.wallet, e.network, e.account, e.address, e.state, e.secret, e.consent, e.meaning,
  e.expires_at AS expiresAt, e.created_at AS createdAt, e.walked_at AS walkedAt, e.ended_at AS endedAt, e.reason`

/** `taken`: the wallet has one on this network already. `replayed`: the consent was used before. */
export function putEnrolment(database: Database, enrolment: NewEnrolment): 'done' | 'taken' | 'replayed' {
  const walletId = database.memberId(enrolment.wallet)
  const used = database.row('SELECT 1 FROM enrolments WHERE consent_hash = ?', enrolment.consentHash)
  if (used !== null) return 'replayed'
  const other = database.row(
    `SELECT 1 FROM enrolments WHERE wallet_id = ? AND network = ? AND state <> 'ended'`,
    walletId,
    enrolment.network,
  )
  if (other !== null) return 'taken'
  database.run(
    `INSERT INTO enrolments (id, wallet_id, network, account, address, state, secret, consent, consent_hash, meaning,
       expires_at, created_at, walked_at)
     VALUES (?, ?, ?, ?, NULL, 'completing', ?, ?, ?, ?, ?, ?, ?)`,
    enrolment.id,
    walletId,
    enrolment.network,
    enrolment.account,
    enrolment.secret,
    enrolment.consent,
    enrolment.consentHash,
    enrolment.meaning,
    enrolment.expiresAt,
    enrolment.createdAt,
    enrolment.createdAt,
  )
  return 'done'
}

/** Null when it is not `completing` any more. */
export function completeEnrolment(
  database: Database,
  { id, address, secret }: { id: string; address: string; secret: Uint8Array },
): StoredEnrolment | null {
  const sql = `UPDATE enrolments SET state = 'active', address = ?, secret = ? WHERE id = ? AND state = 'completing'`
  const changed = overwriting(database, () => database.run(sql, address, secret, id))
  return changed === 1 ? getEnrolment(database, id) : null
}

export function getEnrolment(database: Database, id: string): StoredEnrolment | null {
  return database.row<StoredEnrolment>(
    `SELECT ${COLUMNS} FROM enrolments e JOIN wallets w ON w.id = e.wallet_id WHERE e.id = ?`,
    id,
  )
}

export function enrolmentsOf(database: Database, wallet: string): StoredEnrolment[] {
  return database.rows<StoredEnrolment>(
    `SELECT ${COLUMNS} FROM enrolments e JOIN wallets w ON w.id = e.wallet_id
     WHERE e.wallet_id = ? ORDER BY e.created_at, e.id`,
    database.findWallet(wallet),
  )
}

export function liveEnrolments(
  database: Database,
  { after, limit }: { after: string; limit: number },
): StoredEnrolment[] {
  return database.rows<StoredEnrolment>(
    `SELECT ${COLUMNS} FROM enrolments e JOIN wallets w ON w.id = e.wallet_id
     WHERE e.state <> 'ended' AND e.id > ? ORDER BY e.id LIMIT ?`,
    after,
    limit,
  )
}

export function moveEnrolmentCursor(
  database: Database,
  { id, walkedAt }: { id: string; walkedAt: number },
): void {
  database.run('UPDATE enrolments SET walked_at = ? WHERE id = ? AND walked_at < ?', walkedAt, id, walkedAt)
}

export function rewrapEnrolment(
  database: Database,
  { id, secret }: { id: string; secret: Uint8Array },
): void {
  overwriting(database, () =>
    database.run(`UPDATE enrolments SET secret = ? WHERE id = ? AND state <> 'ended'`, secret, id),
  )
}

/** Takes the secret away for good. False when it had ended before. */
export function endEnrolment(
  database: Database,
  { id, at, reason }: { id: string; at: number; reason: string },
): boolean {
  return overwriting(
    database,
    () =>
      database.run(
        `UPDATE enrolments SET state = 'ended', secret = NULL, ended_at = ?, reason = ? WHERE id = ? AND state <> 'ended'`,
        at,
        reason,
        id,
      ) === 1,
  )
}

/** What the statement replaces is overwritten with zeros. For this one statement alone: it costs writes. */
function overwriting<T>(database: Database, statement: () => T): T {
  database.connection.exec('PRAGMA secure_delete = ON')
  try {
    return statement()
  } finally {
    database.connection.exec('PRAGMA secure_delete = OFF')
  }
}
