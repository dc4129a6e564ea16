import { describe, expect, it } from 'vitest'
import type { StoredPrekey } from '../../port.ts'
import { alice, bob, bytesOf, challenge, keyEntry, prekey, session } from '../../testing/records.ts'
import { openStore } from '../../testing/stores.ts'

describe('challenges and the key log', () => {
  it('keeps a challenge as it was until it is used', async () => {
    const store = await openStore()
    await store.putChallenge(challenge('one'))
    expect(await store.getChallenge('one')).toEqual(challenge('one'))
    expect(await store.getChallenge('two')).toBeNull()

    const entry = keyEntry(0)
    expect(await store.servedAmong([alice, bob])).toEqual([])
    expect(
      await store.completeChallenge({ challengeId: 'one', entry, session: session('a'), at: 2_000 }),
    ).toBe('done')
    expect(await store.getChallenge('one')).toBeNull()
    expect(await store.keyLog(alice)).toEqual([entry])
    expect(await store.servedAmong([bob, alice])).toEqual([alice])
    expect(await store.servedAmong([])).toEqual([])
    expect(await store.keyLog(bob)).toEqual([])
  })

  it('does not let a challenge be used twice, not even at the same time', async () => {
    const store = await openStore()
    await store.putChallenge(challenge('one'))
    const complete = (name: string) =>
      store.completeChallenge({ challengeId: 'one', entry: keyEntry(0), session: session(name), at: 2_000 })
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, index) => complete(`${index}`)))
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1)
    expect(outcomes.filter((outcome) => outcome === 'used')).toHaveLength(19)
    expect(await complete('later')).toBe('used')
    expect(await store.getSession(session('later').tokenHash, 2_000)).toBeNull()
    expect(await store.keyLog(alice)).toHaveLength(1)
  })

  it('answers conflict and writes nothing when another entry came first', async () => {
    const store = await openStore()
    await Promise.all(['one', 'two', 'three'].map((id) => store.putChallenge(challenge(id))))
    const complete = (challengeId: string, seq: number) =>
      store.completeChallenge({ challengeId, entry: keyEntry(seq), session: session(challengeId), at: 2_000 })
    expect(await Promise.all([complete('one', 0), complete('two', 0)])).toEqual(['done', 'conflict'])
    expect(await complete('two', 2)).toBe('conflict')
    expect(await store.getSession(session('two').tokenHash, 2_000)).toBeNull()
    expect(await complete('two', 1)).toBe('done')
    expect((await store.keyLog(alice)).map((entry) => entry.seq)).toEqual([0, 1])
  })

  it('uses a challenge up without an entry while the log is as it was, and once', async () => {
    const store = await openStore()
    await Promise.all(['one', 'two', 'three'].map((id) => store.putChallenge(challenge(id))))
    await store.completeChallenge({ challengeId: 'one', entry: keyEntry(0), session: null, at: 2_000 })
    const use = (challengeId: string, headSeq: number) =>
      store.useChallenge({ challengeId, headSeq, session: session(challengeId) })
    expect(await Promise.all([use('two', 0), use('two', 0), use('four', 0)])).toEqual([
      'done',
      'used',
      'used',
    ])
    expect(await use('three', 1)).toBe('conflict')
    expect(await store.getChallenge('three')).not.toBeNull()
    expect(await store.getSession(session('two').tokenHash, 2_000)).not.toBeNull()
    expect(await store.getSession(session('three').tokenHash, 2_000)).toBeNull()
    expect(await store.keyLog(alice)).toHaveLength(1)
    await store.deleteChallenge('three')
    expect(await use('three', 0)).toBe('used')
  })

  it('ends the sessions and prekeys of a revoked device, and no others', async () => {
    const store = await openStore()
    const lost = bytesOf('lost telephone')
    await Promise.all(['add lost', 'add kept', 'revoke'].map((id) => store.putChallenge(challenge(id))))
    const add = (challengeId: string, seq: number, device: Uint8Array) =>
      store.completeChallenge({
        challengeId,
        entry: keyEntry(seq, { device }),
        session: session(challengeId, { device }),
        at: 2_000,
      })
    await add('add lost', 0, lost)
    await add('add kept', 1, bytesOf('kept'))
    await store.putPrekeys([prekey('lost', { device: lost }), prekey('kept', { device: bytesOf('kept') })])
    const entry = keyEntry(2, { action: 'revoke', device: lost })
    await store.completeChallenge({ challengeId: 'revoke', entry, session: null, at: 3_000 })

    expect(await store.getSession(session('add lost').tokenHash, 3_000)).toBeNull()
    expect(await store.getSession(session('add kept').tokenHash, 3_000)).not.toBeNull()
    expect((await store.prekeys(alice, 3_000)).map((key) => key.device)).toEqual([bytesOf('kept')])
  })
})

describe('sessions', () => {
  it('finds a session by the hash of its token until it expires or is deleted', async () => {
    const store = await openStore()
    await store.putChallenge(challenge('one'))
    const kept = session('one')
    await store.completeChallenge({ challengeId: 'one', entry: keyEntry(0), session: kept, at: 2_000 })
    expect(await store.getSession(kept.tokenHash, kept.expiresAt - 1)).toEqual(kept)
    expect(await store.getSession(kept.tokenHash, kept.expiresAt)).toBeNull()
    await store.deleteSession(kept.tokenHash)
    expect(await store.getSession(kept.tokenHash, 2_000)).toBeNull()
  })

  it('refuses to keep a token that is not hashed, and undoes the whole completion', async () => {
    const store = await openStore()
    await store.putChallenge(challenge('one'))
    const bare = session('one', { tokenHash: 'cw_a-bearer-token' })
    await expect(
      store.completeChallenge({ challengeId: 'one', entry: keyEntry(0), session: bare, at: 2_000 }),
    ).rejects.toMatchObject({ code: 'store-failed', message: expect.not.stringContaining('bearer-token') })
    expect(await store.getChallenge('one')).not.toBeNull()
    expect(await store.keyLog(alice)).toEqual([])
  })
})

describe('prekeys', () => {
  it('gives those that are valid now, newest first for each device and suite', async () => {
    const store = await openStore()
    const names = (keys: { keyId: Uint8Array }[], all: string[]) =>
      keys.map(({ keyId }) => all.find((name) => Buffer.compare(prekey(name).keyId, keyId) === 0))
    await store.putPrekeys([
      prekey('old', { notBefore: 1_000 }),
      prekey('new', { notBefore: 5_000 }),
      prekey('other suite', { suite: 2 }),
      prekey('gone', { notAfter: 6_000 }),
      prekey('to come', { notBefore: 7_000 }),
      prekey('of bob', { wallet: bob }),
    ])
    const all = ['old', 'new', 'other suite', 'gone', 'to come', 'of bob']
    expect(names(await store.prekeys(alice, 6_000), all)).toEqual(['new', 'old', 'other suite'])
    expect(await store.prekeys(bob, 6_000)).toEqual([prekey('of bob', { wallet: bob })])
  })

  it('gives two of a device and suite, and keeps no more than two months’ worth whenever they begin', async () => {
    const store = await openStore()
    const keys = (from: number, to: number, fields: Partial<StoredPrekey>) =>
      Array.from({ length: to - from }, (_, index) => prekey(`${from + index}`, fields))
    for (let from = 0; from < 640; from += 64) {
      await store.putPrekeys(keys(from, from + 64, { notBefore: 1_000, notAfter: 2_000 }))
    }
    await store.putPrekeys([prekey('new', { notBefore: 2_000 }), prekey('newest', { notBefore: 3_000 })])
    await store.putPrekeys([prekey('of another', { device: bytesOf('another'), notBefore: 1_000 })])
    expect(await store.prekeys(alice, 1_500)).toHaveLength(3)
    const given = (await store.prekeys(alice, 4_000)).map(({ notBefore }) => notBefore)
    expect(given.sort()).toEqual([1_000, 2_000, 3_000])
    const limits = { envelopesBefore: 0, aliasesBefore: 0, idsBefore: 0, now: 2_000 }
    expect(await store.prune(limits)).toMatchObject({ prekeys: 126 })
  })

  it('leaves a prekey with a known key id as it is', async () => {
    const store = await openStore()
    await store.putPrekeys([prekey('one')])
    await store.putPrekeys([prekey('one', { publicKey: bytesOf('another') })])
    expect(await store.prekeys(alice, 2_000)).toEqual([prekey('one')])
  })

  it('cannot be kept out by someone who published the same public key before', async () => {
    const store = await openStore()
    const copied = prekey('one', { wallet: bob, device: bytesOf('device of bob') })
    await store.putPrekeys([copied])
    await store.putPrekeys([prekey('one')])
    expect(await store.prekeys(alice, 2_000)).toEqual([prekey('one')])
    expect(await store.prekeys(bob, 2_000)).toEqual([copied])
  })
})
