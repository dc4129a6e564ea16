/** Opaque mirroring: which wallet asked for what to be followed on which network. */
export const name = 'mirrors'

export const sql = `
-- registration: sealed with the gateway's master key, since it may hold keys of the wallet's.
CREATE TABLE mirrors (
  id TEXT PRIMARY KEY,
  wallet_id INTEGER NOT NULL,
  network TEXT NOT NULL,
  topics INTEGER NOT NULL,
  registration BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (wallet_id, network)
) STRICT, WITHOUT ROWID;
`
