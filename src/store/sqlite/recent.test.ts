import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inconsistencies } from '../testing/consistency.ts'
import { acceptRecord, bytesOf, walletOf } from '../testing/records.ts'
import { openStore, temporaryFolder } from '../testing/stores.ts'
import { runGroup } from './group.ts'
import { openDatabase } from './open.ts'
import { conversations } from './operations/conversations.ts'
import { inbox } from './operations/inbox.ts'
import { consentOf } from './operations/settings.ts'

const WALLETS = ['a', 'b', 'c'].map(walletOf)
const MOMENT = { at: 3_000, monotonic: 30 }

/** Number `n` goes between two of the wallets, or from one to itself; number 3 fails after it was added. */
function record(number: number) {
  const from = WALLETS[number % 3]!
  const to = WALLETS[(number >> 1) % 3]!
  const inbox = [
    { wallet: from, direction: 'sent' as const },
    { wallet: to, direction: 'received' as const },
  ]
  const conversation = bytesOf([from, to].sort().join())
  return acceptRecord(`${number}`, { from, conversation, inbox, receivedAt: 1_000 + number })
}

/** Of the next wallet, wherever it writes. */
function denial(number: number) {
  const [wallet, peer] = [WALLETS[number]!, WALLETS[(number + 1) % 3]!]
  return { wallet, peer, conversation: bytesOf('elsewhere'), consent: 'denied' as const, at: 2_000 }
}

const broken = acceptRecord('broken', {
  deliveries: acceptRecord('broken').deliveries.map((delivery) => ({ ...delivery, rank: 0.5 })),
})

it('shows the same whatever stands in the indexes, after groups, failures, pruning and restarts', () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ accept: fc.array(fc.nat(40), { minLength: 1, maxLength: 9 }) }) },
    { weight: 2, arbitrary: fc.record({ fail: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ prune: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
    { weight: 1, arbitrary: fc.record({ deny: fc.nat(2) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.constantFrom(1, 4, 9), (steps, batch) => {
      const folder = temporaryFolder()
      const files = [`${folder}/lagging.db`, `${folder}/late.db`]
      const batches = [batch, 1_000_000]
      let opened = files.map((path, index) => openDatabase(path, batches[index]))
      const databases = () => opened.map(({ database }) => database)
      const shown = () =>
        databases().map((database) =>
          WALLETS.map((wallet) => ({
            inbox: inbox(database, { wallet, after: 0, limit: 1_000, conversation: null }),
            later: inbox(database, {
              wallet,
              after: 7,
              limit: 3,
              conversation: bytesOf([wallet, wallet].join()),
            }),
            conversations: conversations(database, { wallet, limit: 10, before: null }),
            earlier: conversations(database, { wallet, limit: 1, before: 9 }),
            consents: WALLETS.map((other) =>
              consentOf(database, { wallet, conversation: bytesOf([wallet, other].sort().join()) }),
            ),
          })),
        )
      for (const step of steps) {
        if ('restart' in step) {
          for (const { database, unlock } of opened) {
            database.close()
            unlock()
          }
          opened = files.map((path, index) => openDatabase(path, batches[index]))
        }
        const calls =
          'accept' in step
            ? step.accept.map((number) => ({ name: 'accept' as const, input: record(number) }))
            : 'fail' in step
              ? [record(step.fail), broken].map((input) => ({ name: 'accept' as const, input }))
              : 'prune' in step
                ? [{ name: 'pruneEnvelopes' as const, input: { before: 1_000 + step.prune, after: null } }]
                : 'deny' in step
                  ? [{ name: 'chooseConversation' as const, input: denial(step.deny) }]
                  : []
        // Twice, since a delivery that is open ends at the first call and its envelope goes with the second.
        const answers = databases().map((database) =>
          [1, 2].slice('prune' in step ? 0 : 1).map(() => runGroup(database, calls, MOMENT)),
        )
        expect(answers[0]).toEqual(answers[1])
        const [lagging, late] = shown()
        expect(lagging).toEqual(late)
      }
      for (const { database, unlock } of opened) {
        const findings = inconsistencies(database).filter((finding) => !finding.includes('two deliveries'))
        expect(findings).toEqual([])
        database.close()
        unlock()
      }
    }),
    { numRuns: 60 },
  )
}, 300_000)

it('finds every id again while batches are being indexed, and takes none twice', async () => {
  const store = await openStore({ indexBatch: 20 })
  const names = Array.from({ length: 130 }, (_, index) => `${index}`)
  for (const name of names) {
    expect(await store.accept(acceptRecord(name))).toMatchObject({ outcome: 'accepted' })
    expect(await store.accept(acceptRecord(name))).toMatchObject({ outcome: 'duplicate' })
  }
  for (const name of names) expect(await store.isTaken(acceptRecord(name).id)).toBe(true)
  expect(await store.isTaken(bytesOf('another'))).toBe(false)
})
