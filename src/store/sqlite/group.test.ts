import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acceptRecord, alice, challenge, keyEntry, newDelivery, session } from '../testing/records.ts'
import type { Database } from './database.ts'
import { runGroup } from './group.ts'
import { openDatabase } from './open.ts'
import type { Input, OperationName } from './operations/index.ts'
import type { Answer, Call } from './protocol.ts'

const MOMENT = { at: 3_000, monotonic: 30 }

let database: Database
beforeEach(() => {
  database = openDatabase(':memory:').database
})
afterEach(() => database.close())

function call<Name extends OperationName>(name: Name, input: Input<Name>): Call {
  return { name, input }
}
const run = (...calls: Call[]) => runGroup(database, calls, MOMENT)
const codes = (answers: Answer[]) =>
  answers.map((answer) => ('failure' in answer ? answer.failure.code : 'done'))
const envelopeCount = () => database.row<{ count: number }>('SELECT count(*) AS count FROM envelopes')?.count

describe('a group', () => {
  it('answers in order, and reads see the writes before them', () => {
    const { id } = acceptRecord('one')
    const answers = run(call('isTaken', id), call('accept', acceptRecord('one')), call('isTaken', id))
    expect(answers).toMatchObject([{ value: false }, { value: { outcome: 'accepted' } }, { value: true }])
    expect(database.inTransaction).toBe(false)
  })

  it('undoes a call that fails midway, and that call alone', () => {
    // The second delivery breaks a rule after envelope, inbox items and first delivery were written.
    const broken = acceptRecord('broken', {
      from: 'eip155:*:0xnew',
      deliveries: [newDelivery('broken', 'trtc'), newDelivery('broken', 'waku', { rank: 0.5 })],
      alias: { network: 'waku', remoteId: 'hash' },
    })
    const answers = run(
      call('accept', acceptRecord('before')),
      call('accept', broken),
      call('accept', acceptRecord('after', { from: 'eip155:*:0xnew' })),
      call('isTaken', broken.id),
      call('envelopeOfRemote', { network: 'waku', remoteId: 'hash' }),
      call('statistics', null),
    )
    expect(codes(answers)).toEqual(['done', 'store-failed', 'done', 'done', 'done', 'done'])
    expect(answers.slice(3)).toMatchObject([
      { value: false },
      { value: null },
      {
        value: {
          envelopes: 2,
          deliveries: [
            { network: 'trtc', count: 2 },
            { network: 'waku', count: 2 },
          ],
        },
      },
    ])
    expect(run(call('getEnvelope', acceptRecord('after').id))).toMatchObject([
      { value: { from: 'eip155:*:0xnew' } },
    ])
  })

  it('undoes all effects of a completion that fails at its end', () => {
    run(call('putChallenge', challenge('one')))
    const bare = session('one', { tokenHash: 'not hashed' })
    const input = { challengeId: 'one', entry: keyEntry(0), session: bare, at: 1 }
    expect(codes(run(call('completeChallenge', input), call('probe', null)))).toEqual([
      'store-failed',
      'done',
    ])
    expect(run(call('keyLog', alice), call('getChallenge', 'one'))).toMatchObject([
      { value: [] },
      { value: { id: 'one' } },
    ])
  })

  it('rejects every call, reads too, when the commit fails, and keeps nothing', () => {
    database.connection.exec(`
      PRAGMA foreign_keys = ON;
      CREATE TABLE parents (id INTEGER PRIMARY KEY);
      CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER orphan AFTER INSERT ON envelopes BEGIN INSERT INTO children VALUES (1); END;`)
    const answers = run(
      call('probe', null),
      call('accept', acceptRecord('one')),
      call('isTaken', acceptRecord('one').id),
    )
    expect(codes(answers)).toEqual(['store-failed', 'store-failed', 'store-failed'])
    expect(database.inTransaction).toBe(false)
    expect(envelopeCount()).toBe(0)

    database.connection.exec('DROP TRIGGER orphan')
    expect(codes(run(call('accept', acceptRecord('one'))))).toEqual(['done'])
  })

  it('says store-read-only when the database cannot be written, and still reads', () => {
    run(call('accept', acceptRecord('before')))
    database.connection.exec('PRAGMA query_only = ON')
    expect(codes(run(call('accept', acceptRecord('one'))))).toEqual(['store-read-only'])
    expect(codes(run(call('getEnvelope', acceptRecord('before').id), call('statistics', null)))).toEqual([
      'done',
      'done',
    ])
  })

  it('says store-full when the disk is full, acknowledges nothing that is not kept, and recovers', () => {
    run(call('accept', acceptRecord('before')))
    const pages = database.row<{ page_count: number }>('PRAGMA page_count')?.page_count ?? 0
    database.connection.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const large = acceptRecord('large', { bytes: new Uint8Array(100_000) })
    const answers = run(call('accept', acceptRecord('small')), call('accept', large))
    expect(codes(answers).at(1)).toBe('store-full')
    expect(envelopeCount()).toBe(1 + codes(answers).filter((code) => code === 'done').length)
    expect(codes(run(call('getEnvelope', acceptRecord('before').id)))).toEqual(['done'])

    database.connection.exec('PRAGMA max_page_count = 1000000')
    expect(codes(run(call('accept', large)))).toEqual(['done'])
  })
})
