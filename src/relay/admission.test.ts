import { afterEach, expect, test } from 'vitest'
import { directConversation } from '../envelope/index.ts'
import { createAdmission } from './admission.ts'
import { createPerson, nativeFrame, type Person, RelayBench, seal } from './testing/bench.ts'
import { createManualClock } from './testing/manual-clock.ts'
import { heard, scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

const LIMITS = { strangerPerSecond: 1, strangerBurst: 2, networkPerSecond: 1, networkBurst: 3 }

/** A gateway that serves Bob, and people who have signed in elsewhere. */
async function setUp(strangers: number) {
  const bob = createPerson()
  const people = Array.from({ length: strangers }, createPerson)
  const elsewhere = await bench.gateway({ name: 'gw-b', networks: {}, wallets: people })
  await elsewhere.stop()
  const clock = createManualClock()
  const refusals: (string | null)[] = []
  const [waku, xmtp] = [scripted(), scripted()]
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition, xmtp: xmtp.definition },
    wallets: [bob],
    parts: {
      admission: createAdmission({ clock, limits: LIMITS }),
      observer: {
        accepted: (_via, outcome, code) => void (outcome === 'refused' && refusals.push(code)),
        dispatched() {},
        reconciled() {},
        networkState() {},
      },
    },
  })
  let serial = 0
  const hear = async (from: Person, network = waku, sealed?: Uint8Array) => {
    const bytes = sealed ?? (await seal(from, [bob])).bytes
    const result = await network.context().deliver(heard(nativeFrame(from, bytes), `r-${++serial}`))
    return result.outcome === 'refused' ? result.code : result.outcome
  }
  return { gateway, bob, people, clock, refusals, waku, xmtp, hear }
}

test('a stranger has a budget that refills; what was refused is taken when it comes again', async () => {
  const { gateway, bob, people, clock, refusals, waku, hear } = await setUp(1)
  const [eve] = people as [Person]
  expect([await hear(eve), await hear(eve), await hear(eve)]).toEqual([
    'accepted',
    'accepted',
    'stranger-rate-limited',
  ])
  const { bytes } = await seal(eve, [bob])
  expect(await hear(eve, waku, bytes)).toBe('stranger-rate-limited')
  await clock.pass(1_000)
  expect(await hear(eve, waku, bytes)).toBe('accepted')
  expect(refusals).toEqual(['stranger-rate-limited', 'stranger-rate-limited'])
  expect((await gateway.inbox(bob)).length).toBe(3)
})

test('certificates that were not verified lately are limited for each network; known senders are not held up', async () => {
  const { gateway, people, clock, waku, xmtp, hear } = await setUp(5)
  const [one, two, three, four, five] = people as [Person, Person, Person, Person, Person]
  const outcomes = []
  for (const person of [one, two, three, four]) outcomes.push(await hear(person))
  expect(outcomes).toEqual(['accepted', 'accepted', 'accepted', 'network-rate-limited'])
  expect(await hear(one)).toBe('accepted')
  expect(await hear(five, xmtp)).toBe('accepted')
  // A certificate of somebody else's is not known for this sender, nor is one that was altered.
  one.certificate = two.certificate
  expect(await hear(one)).toBe('network-rate-limited')
  await clock.pass(1_000)
  expect(await hear(one)).toBe('device-certificate-invalid')
  expect(await hear(four, waku)).toBe('network-rate-limited')
  await clock.pass(1_000)
  expect(await hear(four, waku)).toBe('accepted')
  expect(gateway.problems).toEqual([])
})

test('wallets that are served here, and what is posted, do not count', async () => {
  const { gateway, bob, clock, hear } = await setUp(0)
  const outcomes = []
  for (let index = 0; index < 6; index++) outcomes.push(await hear(bob))
  expect(new Set(outcomes)).toEqual(new Set(['accepted']))
  for (let index = 0; index < 6; index++) {
    const conversation = directConversation(bob.wallet, bob.wallet)
    expect((await gateway.submit(bob, (await seal(bob, [bob], { conversation })).bytes)).duplicate).toBe(
      false,
    )
  }
  expect(clock.monotonic()).toBe(0)
})
