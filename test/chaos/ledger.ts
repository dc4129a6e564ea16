/** What was sent, what was promised, and whether the promises hold. */
import type { Journey } from '../../src/client/index.ts'
import type { InboxReader, Person } from './people.ts'

export interface SentRecord {
  id: string
  from: Person
  to: Person
  /** `http` or the network whose own client sent it. */
  way: string
  /** Unix milliseconds at which it was promised: the 202, or the network's own answer. Null: no answer came. */
  acknowledgedAt: number | null
}

export interface Ledger {
  sent: SentRecord[]
  acknowledged(): SentRecord[]
}

export function createLedger(): Ledger {
  const sent: SentRecord[] = []
  return { sent, acknowledged: () => sent.filter(({ acknowledgedAt }) => acknowledgedAt !== null) }
}

/** What was found in one person's inbox, with how often it is there. */
export type Inbox = Pick<InboxReader, 'person' | 'ids'>

/** Acknowledged envelopes that are not in an inbox where they belong, as far as it was read. */
export function missingFrom(ledger: Ledger, readers: readonly Inbox[]): string[] {
  return ledger
    .acknowledged()
    .flatMap((record) =>
      readers
        .filter(({ person, ids }) => [record.from, record.to].includes(person) && !ids.has(record.id))
        .map(({ person }) => `lost: ${describe(record)} is not in the inbox of ${person.name}`),
    )
}

/** What is in an inbox more than once, as far as it was read. */
export function doubledIn(readers: readonly Inbox[]): string[] {
  return readers.flatMap(({ person, ids }) =>
    [...ids]
      .filter(([, count]) => count > 1)
      .map(([id, count]) => `${id} is ${count} times in the inbox of ${person.name}`),
  )
}

/** Messages that one person was shown more than once. */
export function shownTwice(people: readonly Person[]): string[] {
  return people.flatMap(({ name, shown }) =>
    [...shown]
      .filter(([, count]) => count > 1)
      .map(([id, count]) => `${name} was shown ${id} ${count} times`),
  )
}

/**
 * Copies beyond the first at one address. Allowed is a copy more for each send whose outcome was uncertain, under the same
 * id: the id is the key here, so another id could not hide.
 */
export function copyViolations(options: {
  network: string
  copies: Map<string, number>
  ledger: Ledger
  journeys: Map<string, Journey>
}): { violations: string[]; repeats: number } {
  const { network, copies, ledger, journeys } = options
  const byId = new Map(ledger.sent.map((record) => [record.id, record]))
  const violations: string[] = []
  let repeats = 0
  for (const [key, count] of copies) {
    const id = key.slice(key.indexOf(' ') + 1)
    const record = byId.get(id)
    if (!record) {
      violations.push(`${network} holds ${id}, which nobody sent`)
      continue
    }
    if (count < 2) continue
    repeats += count - 1
    const uncertain = (journeys.get(id)?.checkpoints ?? []).filter(
      (point) => point.network === network && point.status === 'uncertain',
    ).length
    if (count - 1 > uncertain) {
      violations.push(
        `${describe(record)} is ${count} times on ${network}, with ${uncertain} uncertain outcomes`,
      )
    }
  }
  return { violations, repeats }
}

export function describe({ id, from, to, way }: SentRecord): string {
  return `${id.slice(0, 12)} from ${from.name} to ${to.name} over ${way}`
}
