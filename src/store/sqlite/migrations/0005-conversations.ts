/** The unified inbox: what items are filtered and counted by, what conversations show, and what wallets chose for them. */
export const name = 'conversations'

export const sql = `
-- Of the envelope, so that a filter reads the rows of one inbox, which lie side by side, and no envelope that does not fit.
-- notable: an unread one counts.
ALTER TABLE inbox ADD COLUMN from_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE inbox ADD COLUMN content_type TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox ADD COLUMN notable INTEGER NOT NULL DEFAULT 0;
UPDATE inbox SET (from_id, content_type, notable) = (
  SELECT e.from_id, e.content_type, e.flags & 1 = 0 AND e.content_type NOT LIKE 'xmtp.org/readReceipt:%'
    AND e.content_type NOT LIKE 'causeway/wake:%'
  FROM envelopes e WHERE e.seq = inbox.seq);

-- With what unread items are counted by, so that counting reads the index alone.
DROP INDEX inbox_by_conversation;
CREATE INDEX inbox_by_conversation ON inbox (wallet_id, conversation_id, seq, sent, notable);

-- marks: networks and modes of its items, each once: 'http/sealed xmtp/hop'. types: likewise their content types without
-- versions, '*' for more than are kept. answered: the wallet wrote in it; a receipt or typing is no answer.
ALTER TABLE inbox_conversations ADD COLUMN marks TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox_conversations ADD COLUMN types TEXT NOT NULL DEFAULT '';
ALTER TABLE inbox_conversations ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
UPDATE inbox_conversations AS h SET
  answered = (SELECT max(i.sent AND i.notable) FROM inbox i WHERE i.wallet_id = h.wallet_id AND i.conversation_id = h.conversation_id),
  marks = (SELECT group_concat(mark, ' ') FROM (
    SELECT DISTINCT e.via || '/' || e.mode AS mark FROM inbox i JOIN envelopes e ON e.seq = i.seq
    WHERE i.wallet_id = h.wallet_id AND i.conversation_id = h.conversation_id ORDER BY 1)),
  types = (SELECT iif(count(*) > 24, '*', group_concat(type, ' ')) FROM (
    SELECT DISTINCT substr(i.content_type, 1, instr(i.content_type, ':') - 1) AS type FROM inbox i
    WHERE i.wallet_id = h.wallet_id AND i.conversation_id = h.conversation_id ORDER BY 1));

-- What a wallet chose or read, by the conversation itself: choices outlive its messages.
-- peer: the other wallet of a direct conversation, where it was named. consent: NULL until one was chosen or followed from an
-- answer that is pruned. read_through: seq up to which it is read.
CREATE TABLE conversation_settings (
  wallet_id INTEGER NOT NULL,
  conversation BLOB NOT NULL,
  peer TEXT,
  consent TEXT CHECK (consent IN ('allowed', 'denied')),
  muted INTEGER NOT NULL DEFAULT 0,
  read_through INTEGER NOT NULL DEFAULT 0,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_settings_denied ON conversation_settings (wallet_id, peer) WHERE consent = 'denied';
CREATE INDEX conversation_settings_kept ON conversation_settings (wallet_id) WHERE consent = 'denied' OR muted = 1;
CREATE INDEX conversation_settings_by_age ON conversation_settings (updated_at) WHERE consent IS NULL AND muted = 0;

CREATE TABLE inbox_settings (
  wallet_id INTEGER PRIMARY KEY,
  unknown_senders TEXT NOT NULL CHECK (unknown_senders IN ('relay', 'hold')),
  read_receipts TEXT NOT NULL CHECK (read_receipts IN ('never', 'allowed', 'always'))
) STRICT;

-- As before, and: whom a wallet answered stays allowed when the answer is pruned.
DROP TRIGGER inbox_item_gone;
CREATE TRIGGER inbox_item_gone AFTER DELETE ON inbox BEGIN
  UPDATE inbox_conversations
    SET items = items - 1,
        last_seq = iif(last_seq <> OLD.seq, last_seq, ifnull((
          SELECT max(seq) FROM inbox WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id), 0))
    WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id;
  INSERT INTO conversation_settings (wallet_id, conversation, consent, updated_at)
    SELECT h.wallet_id, c.conversation, 'allowed', 0
    FROM inbox_conversations h JOIN conversations c ON c.id = h.conversation_id
    WHERE h.wallet_id = OLD.wallet_id AND h.conversation_id = OLD.conversation_id AND h.items = 0 AND h.answered = 1
    ON CONFLICT DO UPDATE SET consent = ifnull(consent, 'allowed');
  DELETE FROM inbox_conversations
    WHERE wallet_id = OLD.wallet_id AND conversation_id = OLD.conversation_id AND items = 0;
END;
`
