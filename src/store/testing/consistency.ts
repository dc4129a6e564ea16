import type { Database } from '../sqlite/database.ts'

/**
 * What is wrong in a database, empty when nothing is: SQLite's own full check, accepts that are there in part only, counters
 * that differ from what they count.
 */
export function inconsistencies(database: Database): string[] {
  database.begin(true)
  database.recent.indexAll()
  database.commit()
  const integrity = database
    .rows<{ integrity_check: string }>('PRAGMA integrity_check')
    .map((row) => row.integrity_check)
  const findings = integrity.filter((line) => line !== 'ok')
  const expectNone = (what: string, sql: string) => {
    const { length } = database.rows(sql)
    if (length > 0) findings.push(`${length} ${what}`)
  }
  expectNone(
    'envelopes without one of their inbox items',
    `SELECT 1 FROM envelopes e, json_each(e.holders) h LEFT JOIN inbox i ON i.wallet_id = abs(h.value) AND i.seq = e.seq
     WHERE e.bytes IS NOT NULL AND i.seq IS NULL`,
  )
  expectNone(
    'envelopes with other than two deliveries',
    `SELECT 1 FROM envelopes e LEFT JOIN deliveries d ON d.id / 4096 = e.seq GROUP BY e.seq HAVING count(d.id) <> 2`,
  )
  expectNone(
    'rows that belong to no envelope',
    `SELECT seq FROM inbox UNION ALL SELECT id / 4096 FROM deliveries UNION ALL SELECT seq FROM checkpoints
     EXCEPT SELECT seq FROM envelopes`,
  )
  expectNone(
    'wrong delivery counts',
    `SELECT network, state, count(*) FROM deliveries GROUP BY network, state
     EXCEPT SELECT network, state, count FROM delivery_counts`,
  )
  expectNone(
    'wrong conversation heads',
    `SELECT wallet_id, conversation_id, max(seq), count(*) FROM inbox GROUP BY wallet_id, conversation_id
     EXCEPT SELECT wallet_id, conversation_id, last_seq, items FROM inbox_conversations`,
  )
  return findings
}
