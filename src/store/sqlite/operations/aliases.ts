import type { Database } from '../database.ts'

/** Notes that a network message carried this envelope. The first envelope noted for a message stays. */
export function noteAlias(
  database: Database,
  alias: { network: string; remoteId: string; envelopeId: Uint8Array; at: number },
): void {
  database.run(
    `INSERT INTO aliases (network, remote_id, envelope_id, at) VALUES (?, ?, ?, ?)
     ON CONFLICT (network, remote_id) DO NOTHING`,
    alias.network,
    alias.remoteId,
    alias.envelopeId,
    alias.at,
  )
}

export function envelopeOfRemote(
  database: Database,
  { network, remoteId }: { network: string; remoteId: string },
): Uint8Array | null {
  const sql = 'SELECT envelope_id AS envelopeId FROM aliases WHERE network = ? AND remote_id = ?'
  return database.row<{ envelopeId: Uint8Array }>(sql, network, remoteId)?.envelopeId ?? null
}
