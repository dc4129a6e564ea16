/** Enrolments: wallets that let this gateway be one of their own clients on a network. */
export const name = 'enrolments'

export const sql = `
-- secret: wrapped by the master key; NULL once the enrolment has ended, overwritten in the file.
-- consent_hash stays unique over ended ones too, so that no consent counts twice.
-- walked_at: start of the last completed walk of its messages.
CREATE TABLE enrolments (
  id TEXT PRIMARY KEY,
  wallet_id INTEGER NOT NULL,
  network TEXT NOT NULL,
  account TEXT NOT NULL,
  address TEXT,
  state TEXT NOT NULL CHECK (state IN ('completing', 'active', 'ended')),
  secret BLOB CHECK ((secret IS NULL) = (state = 'ended')),
  consent BLOB NOT NULL,
  consent_hash BLOB NOT NULL UNIQUE,
  meaning TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  walked_at INTEGER NOT NULL,
  ended_at INTEGER,
  reason TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX enrolments_live ON enrolments (wallet_id, network) WHERE state <> 'ended';
CREATE INDEX enrolments_by_wallet ON enrolments (wallet_id);
CREATE INDEX enrolments_ended ON enrolments (ended_at) WHERE state = 'ended';
`
