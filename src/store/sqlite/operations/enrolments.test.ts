import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { acceptRecord, alice, bob, bytesOf, enrolment } from '../../testing/records.ts'
import { openStore, temporaryFolder } from '../../testing/stores.ts'

const limits = { envelopesBefore: 0, aliasesBefore: 0, idsBefore: 0, now: 0 }

describe('enrolments', () => {
  it('are completing, then active, then ended without a secret', async () => {
    const store = await openStore()
    const { consentHash: _, ...kept } = enrolment('a')
    expect(await store.putEnrolment(enrolment('a'))).toBe('done')
    const begun = {
      ...kept,
      address: null,
      state: 'completing',
      walkedAt: 1_000,
      endedAt: null,
      reason: null,
    }
    expect(await store.getEnrolment('a')).toEqual(begun)
    const active = { ...begun, state: 'active', address: 'inbox', secret: bytesOf('other') }
    const completion = { id: 'a', address: 'inbox', secret: bytesOf('other') }
    expect(await store.completeEnrolment(completion)).toEqual(active)
    expect(await store.completeEnrolment(completion)).toBeNull()
    expect(await store.endEnrolment({ id: 'a', at: 5_000, reason: 'revoked' })).toBe(true)
    expect(await store.endEnrolment({ id: 'a', at: 6_000, reason: 'again' })).toBe(false)
    await store.rewrapEnrolment('a', bytesOf('late'))
    const ended = { ...active, state: 'ended', secret: null, endedAt: 5_000, reason: 'revoked' }
    expect(await store.enrolmentsOf(alice)).toEqual([ended])
    expect(await store.enrolmentsOf(bob)).toEqual([])
  })

  it('are one of a wallet for a network, until it has ended', async () => {
    const store = await openStore()
    expect(await store.putEnrolment(enrolment('a'))).toBe('done')
    expect(await store.putEnrolment(enrolment('b'))).toBe('taken')
    expect(await store.putEnrolment(enrolment('c', { network: 'push' }))).toBe('done')
    expect(await store.putEnrolment(enrolment('d', { wallet: bob }))).toBe('done')
    await store.endEnrolment({ id: 'a', at: 5_000, reason: 'revoked' })
    expect(await store.putEnrolment(enrolment('b'))).toBe('done')
    expect((await store.liveEnrolments({ after: '', limit: 2 })).map(({ id }) => id)).toEqual(['b', 'c'])
    expect((await store.liveEnrolments({ after: 'c', limit: 2 })).map(({ id }) => id)).toEqual(['d'])
  })

  it('take no consent twice, also after the first enrolment has ended, until it is pruned', async () => {
    const store = await openStore()
    await store.putEnrolment(enrolment('a'))
    await store.endEnrolment({ id: 'a', at: 5_000, reason: 'revoked' })
    const again = enrolment('b', { consentHash: enrolment('a').consentHash })
    expect(await store.putEnrolment(again)).toBe('replayed')
    await store.prune({ ...limits, envelopesBefore: 5_000 })
    expect(await store.putEnrolment(again)).toBe('replayed')
    expect(await store.prune({ ...limits, envelopesBefore: 5_001 })).toMatchObject({ enrolments: 1 })
    expect(await store.putEnrolment(again)).toBe('done')
  })

  it('have a cursor that never goes back', async () => {
    const store = await openStore()
    await store.putEnrolment(enrolment('a'))
    await store.moveEnrolmentCursor('a', 7_000)
    await store.moveEnrolmentCursor('a', 6_000)
    expect((await store.getEnrolment('a'))?.walkedAt).toBe(7_000)
  })

  it('leave nothing of a secret in the files once they have ended, or have another', async () => {
    const folder = temporaryFolder()
    const store = await openStore({ path: join(folder, 'causeway.db') })
    const [long, second, third] = ['first', 'second', 'third'].map((name) =>
      Uint8Array.from(Array.from({ length: 300 }, (_, index) => [...bytesOf(`${name} ${index}`)]).flat()),
    )
    const found = (secret: Uint8Array) =>
      readdirSync(folder).filter((file) =>
        readFileSync(join(folder, file)).includes(Buffer.from(secret.subarray(64, 128))),
      )
    await store.putEnrolment(enrolment('a', { secret: long! }))
    await store.accept(acceptRecord('between'))
    expect(found(long!)).not.toEqual([])
    await store.completeEnrolment({ id: 'a', address: 'inbox', secret: second! })
    expect(found(long!)).toEqual([])
    expect(found(second!)).not.toEqual([])
    await store.rewrapEnrolment('a', third!)
    expect(found(second!)).toEqual([])
    await store.endEnrolment({ id: 'a', at: 5_000, reason: 'revoked' })
    for (const secret of [long, second, third]) expect(found(secret!)).toEqual([])
  })
})

describe('an alias that claims its message', () => {
  it('lets one envelope in for one network message', async () => {
    const store = await openStore()
    const alias = { network: 'xmtp', remoteId: 'enrolment:1', claims: true }
    const first = await store.accept(acceptRecord('first', { alias }))
    expect(first.outcome).toBe('accepted')
    const second = await store.accept(acceptRecord('second', { alias }))
    expect(second).toMatchObject({ outcome: 'duplicate', seq: first.seq })
    expect(await store.isTaken(acceptRecord('second').id)).toBe(false)
    expect((await store.inbox({ wallet: bob, after: 0, limit: 10, conversation: null })).items).toHaveLength(
      1,
    )
  })
})
