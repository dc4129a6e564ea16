/**
 * The first schema.
 *
 * Cost must not grow with the number of rows, so every index either takes its inserts near its end (sequence numbers, times,
 * ids given out in order) or holds small rows only. Envelope ids are random by nature (they are hashes) and inboxes are by
 * wallet: their indexes are written in batches, in the order of their keys (see recent.ts). Network message ids are random too.
 *
 * Counts are kept by triggers: they cannot be forgotten by a statement and cost no scan when read.
 */
export const name = 'initial'

export const sql = `
-- Wallets and conversations by small integers, so that the indexes that name them stay narrow. Both are removed when nothing
-- names them any more; AUTOINCREMENT: then their id stays unused.
-- used_at: when an envelope named it last, up to a day behind; NULL for a wallet that has signed in, which stays.
CREATE TABLE wallets (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wallet TEXT NOT NULL UNIQUE,
  used_at INTEGER
) STRICT;
CREATE INDEX wallets_by_use ON wallets (used_at) WHERE used_at IS NOT NULL;

CREATE TABLE conversations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation BLOB NOT NULL UNIQUE,
  used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX conversations_by_use ON conversations (used_at);

-- Identity ------------------------------------------------------------------------------------------------------------

-- Keyed by text, not by wallet id: whoever asks for a challenge has proved nothing and must not grow the wallets table.
CREATE TABLE challenges (
  id TEXT PRIMARY KEY,
  wallet TEXT NOT NULL,
  account TEXT NOT NULL,
  action TEXT NOT NULL,
  device BLOB NOT NULL,
  label TEXT NOT NULL,
  entry BLOB NOT NULL,
  message TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX challenges_by_expiry ON challenges (expires_at);

CREATE TABLE key_log (
  wallet_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  hash BLOB NOT NULL,
  entry BLOB NOT NULL,
  signature TEXT NOT NULL,
  account TEXT NOT NULL,
  domain TEXT NOT NULL,
  action TEXT NOT NULL,
  device BLOB NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, seq)
) STRICT, WITHOUT ROWID;

-- The check refuses a token that was not hashed.
CREATE TABLE sessions (
  token_hash TEXT PRIMARY KEY CHECK (length(token_hash) = 64 AND token_hash NOT GLOB '*[^0-9a-f]*'),
  wallet_id INTEGER NOT NULL,
  account TEXT NOT NULL,
  device BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_device ON sessions (wallet_id, device);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE prekeys (
  key_id BLOB NOT NULL,
  wallet_id INTEGER NOT NULL,
  device BLOB NOT NULL,
  suite INTEGER NOT NULL,
  public_key BLOB NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  signature BLOB NOT NULL,
  -- Not the key alone: it is public, and whoever published it first under a name of their own would keep its owner out.
  PRIMARY KEY (wallet_id, device, key_id)
) STRICT, WITHOUT ROWID;
-- With not_after, so that the newest are found without reading the keys themselves.
CREATE INDEX prekeys_by_device ON prekeys (wallet_id, device, suite, not_before, not_after);
CREATE INDEX prekeys_by_expiry ON prekeys (not_after);

CREATE TABLE endpoints (
  wallet_id INTEGER NOT NULL,
  network TEXT NOT NULL,
  address TEXT NOT NULL,
  enabled INTEGER NOT NULL,
  source TEXT NOT NULL,
  exclusive INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoints_by_address ON endpoints (network, address);

CREATE TABLE routes (
  wallet_id INTEGER PRIMARY KEY,
  route TEXT NOT NULL
) STRICT;

-- Envelopes and inbox -------------------------------------------------------------------------------------------------

-- AUTOINCREMENT: a seq is never given out twice, whatever is pruned.
-- holders: ids of the wallets that have it in their inbox, a JSON array, negative for the sender's own copy. Indexes and inbox
-- follow from these rows and lag behind them: see recent.ts.
-- The first two checkpoints of every journey, accepted and persisted, are columns here and not rows of checkpoints.
-- A row whose bytes are NULL is what pruning leaves of an envelope while its id must stay taken; it names nothing else.
CREATE TABLE envelopes (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  mode TEXT NOT NULL,
  from_id INTEGER NOT NULL,
  conversation_id INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  flags INTEGER NOT NULL,
  created INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  via TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  accepted_monotonic REAL NOT NULL,
  persisted_at INTEGER NOT NULL,
  persisted_monotonic REAL NOT NULL,
  holders TEXT NOT NULL,
  device BLOB NOT NULL,
  trace BLOB NOT NULL,
  certificate BLOB,
  bytes BLOB
) STRICT;

-- By the first bytes of the id; an id is looked up by them and compared whole. The writer is alone and looks before it writes.
CREATE TABLE envelope_ids (
  prefix INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (prefix, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX envelopes_by_age ON envelopes (received_at) WHERE bytes IS NOT NULL;
CREATE INDEX envelopes_pruned ON envelopes (received_at) WHERE bytes IS NULL;

CREATE TABLE inbox (
  wallet_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  conversation_id INTEGER NOT NULL,
  sent INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_by_conversation ON inbox (wallet_id, conversation_id, seq);

CREATE TABLE inbox_conversations (
  wallet_id INTEGER NOT NULL,
  conversation_id INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  items INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, conversation_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbox_conversations_by_last ON inbox_conversations (wallet_id, last_seq);

CREATE TRIGGER inbox_item_gone AFTER DELETE ON inbox BEGIN
  UPDATE inbox_conversations
    SET items = items - 1,
        last_seq = iif(last_seq <> OLD.seq, last_seq, ifnull((
          SELECT max(seq) FROM inbox WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id), 0))
    WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id;
  DELETE FROM inbox_conversations
    WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id AND items = 0;
END;

-- Network message ids by which an echo or a redelivery is recognised. They hold the envelope's id, not its seq, so that
-- they outlive it. In order of arrival, so that pruning walks from the start.
CREATE TABLE aliases (
  number INTEGER PRIMARY KEY,
  network TEXT NOT NULL,
  remote_id TEXT NOT NULL,
  envelope_id BLOB NOT NULL,
  at INTEGER NOT NULL,
  UNIQUE (network, remote_id)
) STRICT;

-- Deliveries ----------------------------------------------------------------------------------------------------------

-- id = seq of the envelope * 4096 + place among its deliveries: found by envelope without an index, and never given out twice.
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY,
  wallet_id INTEGER NOT NULL,
  network TEXT NOT NULL,
  address TEXT NOT NULL,
  transaction_id TEXT NOT NULL,
  state TEXT NOT NULL,
  rank INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  next_at INTEGER,
  reason TEXT,
  remote_ids TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- Only what is under way or went wrong is indexed: nearly all deliveries end as acknowledged and leave both.
-- OR, not IN: for a list SQLite would build a temporary table at every insert, which costs more than the insert.
CREATE INDEX deliveries_open ON deliveries (id)
  WHERE state = 'pending' OR state = 'dispatching' OR state = 'uncertain' OR (state = 'standby' AND next_at IS NOT NULL);
CREATE INDEX deliveries_unsent ON deliveries (state, id)
  WHERE state = 'standby' OR state = 'dead' OR state = 'superseded';

CREATE TABLE delivery_counts (
  network TEXT NOT NULL,
  state TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (network, state)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delivery_made AFTER INSERT ON deliveries BEGIN
  INSERT INTO delivery_counts VALUES (NEW.network, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_moved AFTER UPDATE OF state ON deliveries WHEN OLD.state <> NEW.state BEGIN
  UPDATE delivery_counts SET count = count - 1 WHERE network = OLD.network AND state = OLD.state;
  INSERT INTO delivery_counts VALUES (NEW.network, NEW.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER delivery_gone AFTER DELETE ON deliveries BEGIN
  UPDATE delivery_counts SET count = count - 1 WHERE network = OLD.network AND state = OLD.state;
END;

-- Who wrote to which address on a network, and when last.
CREATE TABLE pairs (
  network TEXT NOT NULL,
  address TEXT NOT NULL,
  peer_id INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (network, address, peer_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX pairs_by_age ON pairs (last_at);

-- Journey and the rest ------------------------------------------------------------------------------------------------

CREATE TABLE checkpoints (
  seq INTEGER NOT NULL,
  number INTEGER NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  at INTEGER NOT NULL,
  monotonic REAL NOT NULL,
  delivery_id INTEGER,
  network TEXT,
  wallet_id INTEGER,
  detail TEXT,
  PRIMARY KEY (seq, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE adapter_values (
  network TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (network, key)
) STRICT, WITHOUT ROWID;

-- One row. pruned: envelopes that are gone; pruned_through: highest seq among them; pruned_wallets: wallets that are gone;
-- indexed_through: envelopes up to this seq stand in envelope_ids, inbox and inbox_conversations.
CREATE TABLE totals (
  only INTEGER PRIMARY KEY CHECK (only = 1),
  pruned INTEGER NOT NULL,
  pruned_through INTEGER NOT NULL,
  pruned_wallets INTEGER NOT NULL,
  indexed_through INTEGER NOT NULL
) STRICT;
INSERT INTO totals VALUES (1, 0, 0, 0, 0);

CREATE TABLE probes (at INTEGER NOT NULL) STRICT;
`
