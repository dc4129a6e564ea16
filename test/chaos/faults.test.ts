import { expect, test } from 'vitest'
import { runFaults } from './faults.ts'

/** One of each sort; `npm run chaos -- faults` runs all. */
const kinds: Record<string, readonly string[]> = {
  trtc: [
    'REST: refused',
    'REST: reset amid what comes down',
    'webhooks: truncated on the way up',
    'too many calls (60011)',
    'answers lost after success',
    'webhooks doubled',
    'webhooks lost',
    'clock of the network 5 minutes ahead',
  ],
  waku: [
    'node: cut once',
    'node: half-open',
    'node: flapping',
    'node: corrupted on the way down',
    'node down',
    'half of the messages lost',
    'messages doubled',
    'Store answers in part',
  ],
  'waku-light': ['node: half-open', 'Filter subscriptions silently gone'],
  xmtp: [
    'node: cut once',
    'node: reset amid what comes down',
    'node down',
    'half of the events break their subscription',
    'SendGroupMessages answers RESOURCE_EXHAUSTED',
    'answers lost after success',
    'queries lag behind',
    'subscriptions silently gone',
  ],
  push: [
    'node: cut once',
    'node: reset amid what comes down',
    'node: half-open',
    'node down',
    'half of the events lost',
    'events out of order',
    'messages hang',
    'answers lost after success',
  ],
}

test.each(Object.keys(kinds))(
  '%s: after each fault everything arrives, once',
  async (network) => {
    const wanted = kinds[network] ?? []
    const results = await runFaults({
      seeds: [1],
      networks: [network],
      includes: (_name, kind) => wanted.includes(kind),
    })
    expect(results.map(({ kind }) => kind).toSorted()).toEqual([...wanted].toSorted())
    expect(results.flatMap(({ kind, violations }) => violations.map((text) => `${kind}: ${text}`))).toEqual(
      [],
    )
  },
  900_000,
)
