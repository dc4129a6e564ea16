/** Challenges, key log, sessions and prekeys. */
import type { StoredChallenge, StoredKeyEntry, StoredPrekey, StoredSession } from '../../port.ts'
import type { Database } from '../database.ts'

export function putChallenge(database: Database, challenge: StoredChallenge): void {
  database.run(
    `INSERT INTO challenges (id, wallet, account, action, device, label, entry, message, created_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    challenge.id,
    challenge.wallet,
    challenge.account,
    challenge.action,
    challenge.device,
    challenge.label,
    challenge.entry,
    challenge.message,
    challenge.createdAt,
    challenge.expiresAt,
  )
}

export function getChallenge(database: Database, id: string): StoredChallenge | null {
  return database.row<StoredChallenge>(
    `SELECT id, wallet, account, action, device, label, entry, message, created_at AS createdAt, expires_at AS expiresAt
     FROM challenges WHERE id = ?`,
    id,
  )
}

export function deleteChallenge(database: Database, id: string): void {
  database.run('DELETE FROM challenges WHERE id = ?', id)
}

/**
 * A challenge is used up by being removed. On `conflict` nothing is written. The key log only grows, so an entry fits
 * exactly when its seq follows the last one: with it, its link to the entry before was composed against that last entry.
 */
export function completeChallenge(
  database: Database,
  input: { challengeId: string; entry: StoredKeyEntry; session: StoredSession | null; at: number },
): 'done' | 'used' | 'conflict' {
  const { challengeId, entry, session } = input
  if (database.row('SELECT 1 FROM challenges WHERE id = ?', challengeId) === null) return 'used'
  const walletId = database.memberId(entry.wallet)
  const last = lastSeqOf(database, walletId)
  if (last !== null && entry.seq !== last + 1) return 'conflict'

  deleteChallenge(database, challengeId)
  database.run(
    `INSERT INTO key_log (wallet_id, seq, hash, entry, signature, account, domain, action, device, not_before, not_after,
       received_at, proof_kind, proof_chain, proof_block)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    walletId,
    entry.seq,
    entry.hash,
    entry.entry,
    entry.signature,
    entry.account,
    entry.domain,
    entry.action,
    entry.device,
    entry.notBefore,
    entry.notAfter,
    entry.receivedAt,
    entry.proof?.kind ?? null,
    entry.proof?.chainId ?? null,
    entry.proof?.blockNumber ?? null,
  )
  if (entry.action === 'revoke') {
    database.run('DELETE FROM sessions WHERE wallet_id = ? AND device = ?', walletId, entry.device)
    database.run('DELETE FROM prekeys WHERE wallet_id = ? AND device = ?', walletId, entry.device)
  }
  if (session !== null) putSession(database, session)
  return 'done'
}

/** On `conflict` nothing is written: the entry that came meanwhile may have revoked the device of the session. */
export function useChallenge(
  database: Database,
  input: { challengeId: string; headSeq: number; session: StoredSession | null },
): 'done' | 'used' | 'conflict' {
  const { challengeId, headSeq, session } = input
  const challenge = getChallenge(database, challengeId)
  if (challenge === null) return 'used'
  if (lastSeqOf(database, database.findWallet(challenge.wallet)) !== headSeq) return 'conflict'
  deleteChallenge(database, challengeId)
  if (session !== null) putSession(database, session)
  return 'done'
}

function lastSeqOf(database: Database, walletId: number | null): number | null {
  const sql = 'SELECT max(seq) AS seq FROM key_log WHERE wallet_id = ?'
  return database.row<{ seq: number | null }>(sql, walletId)?.seq ?? null
}

function putSession(database: Database, session: StoredSession): void {
  database.run(
    `INSERT INTO sessions (token_hash, wallet_id, account, device, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
    session.tokenHash,
    database.memberId(session.wallet),
    session.account,
    session.device,
    session.createdAt,
    session.expiresAt,
  )
}

interface KeyLogRow extends Omit<StoredKeyEntry, 'proof'> {
  proofKind: NonNullable<StoredKeyEntry['proof']>['kind'] | null
  proofChain: string | null
  proofBlock: number | null
}

export function keyLog(database: Database, wallet: string): StoredKeyEntry[] {
  const rows = database.rows<KeyLogRow>(
    `SELECT w.wallet, k.seq, k.hash, k.entry, k.signature, k.account, k.domain, k.action, k.device,
       k.not_before AS notBefore, k.not_after AS notAfter, k.received_at AS receivedAt,
       k.proof_kind AS proofKind, k.proof_chain AS proofChain, k.proof_block AS proofBlock
     FROM key_log k JOIN wallets w ON w.id = k.wallet_id WHERE k.wallet_id = ? ORDER BY k.seq`,
    database.findWallet(wallet),
  )
  return rows.map(({ proofKind, proofChain, proofBlock, ...entry }) => {
    const proof =
      proofKind === null || proofChain === null || proofBlock === null
        ? null
        : { kind: proofKind, chainId: proofChain, blockNumber: proofBlock }
    return { ...entry, proof }
  })
}

export function getSession(
  database: Database,
  { tokenHash, now }: { tokenHash: string; now: number },
): StoredSession | null {
  return database.row<StoredSession>(
    `SELECT s.token_hash AS tokenHash, w.wallet, s.account, s.device, s.created_at AS createdAt, s.expires_at AS expiresAt
     FROM sessions s JOIN wallets w ON w.id = s.wallet_id WHERE s.token_hash = ? AND s.expires_at > ?`,
    tokenHash,
    now,
  )
}

export function deleteSession(database: Database, tokenHash: string): void {
  database.run('DELETE FROM sessions WHERE token_hash = ?', tokenHash)
}

/** Two months of daily prekeys in two suites: beyond it, those that began first go. */
const MAX_PREKEYS_OF_DEVICE = 128

/** Senders take the newest. The one before it is for a sender whose clock is behind. */
const NEWEST_PREKEYS = 2

export function putPrekeys(database: Database, prekeys: StoredPrekey[]): void {
  const devices = new Map<string, { walletId: number; device: Uint8Array }>()
  for (const prekey of prekeys) {
    const walletId = database.memberId(prekey.wallet)
    devices.set(`${walletId} ${Buffer.from(prekey.device).toString('hex')}`, {
      walletId,
      device: prekey.device,
    })
    database.run(
      `INSERT INTO prekeys (key_id, wallet_id, device, suite, public_key, not_before, not_after, bytes, signature)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      prekey.keyId,
      walletId,
      prekey.device,
      prekey.suite,
      prekey.publicKey,
      prekey.notBefore,
      prekey.notAfter,
      prekey.bytes,
      prekey.signature,
    )
  }
  for (const { walletId, device } of devices.values()) {
    database.run(
      `DELETE FROM prekeys WHERE wallet_id = ?1 AND device = ?2 AND key_id IN (
         SELECT key_id FROM prekeys WHERE wallet_id = ?1 AND device = ?2
         ORDER BY not_before DESC, key_id LIMIT -1 OFFSET ${MAX_PREKEYS_OF_DEVICE})`,
      walletId,
      device,
    )
  }
}

export function prekeys(
  database: Database,
  { wallet, now }: { wallet: string; now: number },
): StoredPrekey[] {
  return database.rows<StoredPrekey>(
    `SELECT p.key_id AS keyId, w.wallet, p.device, p.suite, p.public_key AS publicKey, p.not_before AS notBefore,
       p.not_after AS notAfter, p.bytes, p.signature
     FROM (
       SELECT wallet_id, device, key_id,
         row_number() OVER (PARTITION BY device, suite ORDER BY not_before DESC, key_id) AS place
       FROM prekeys WHERE wallet_id = ? AND not_before <= ? AND not_after > ?
     ) newest
     JOIN prekeys p USING (wallet_id, device, key_id)
     JOIN wallets w ON w.id = p.wallet_id
     WHERE newest.place <= ${NEWEST_PREKEYS}
     ORDER BY p.device, p.suite, p.not_before DESC, p.key_id`,
    database.findWallet(wallet),
    now,
    now,
  )
}

export function servedAmong(database: Database, wallets: readonly string[]): string[] {
  return wallets.filter((wallet) => lastSeqOf(database, database.findWallet(wallet)) !== null)
}
