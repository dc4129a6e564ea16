/** Messages that the service does not give all of: when they are waited for, and when they are left out. */
import { expect, it } from 'vitest'
import { createMemoryStorage, createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { messageSchema } from '../chain.ts'
import { didOfAddress } from '../did.ts'
import { PushError, type PushErrorCode } from '../errors.ts'
import { neverAborted } from '../testing.ts'
import type { EnrolledAccount } from './account.ts'
import type { Groups } from './conversations.ts'
import { createNativeReader } from './reader.ts'
import { createSentMessages } from './sent.ts'

const own = didOfAddress(`0x${'a'.repeat(40)}`)
const from = didOfAddress(`0x${'b'.repeat(40)}`)
const message = messageSchema.parse({
  cid: 'one',
  fromDID: from,
  fromCAIP10: from,
  toDID: own,
  toCAIP10: own,
  messageType: 'Text',
  encType: 'pgp',
  verificationProof: 'pgpv3:signature',
})

/** With a service that answers everything that the message needs by this failure. */
function readerOf(code: PushErrorCode, status?: number) {
  const failure = new PushError(code, 'of the service', status === undefined ? {} : { status })
  const account = { did: own, open: () => Promise.reject(failure) } as Partial<EnrolledAccount>
  const sent = createSentMessages(createMemoryStorage(), 'one')
  const { log } = createRecordingContext()
  return createNativeReader({
    enrolment: 'one',
    account: account as EnrolledAccount,
    groups: {} as Groups,
    sent,
    log,
  })
}

const attempts = {
  walk: { via: 'history', isLastTry: false },
  lastWalk: { via: 'history', isLastTry: true },
  live: { via: 'stream', isLastTry: true },
} as const

it.each<[PushErrorCode, number | undefined, (keyof typeof attempts)[]]>([
  ['refused', 404, ['lastWalk', 'live']],
  ['refused', 403, ['lastWalk', 'live']],
  ['malformed-answer', undefined, ['lastWalk']],
  ['refused', 503, []],
  ['refused', 429, []],
  ['timed-out', undefined, []],
  ['key-unverified', undefined, ['walk', 'lastWalk', 'live']],
])('%s (%s) leaves a message out by: %j', async (code, status, leavesOut) => {
  for (const [name, attempt] of Object.entries(attempts)) {
    const reading = readerOf(code, status).read(message, attempt, neverAborted)
    if (leavesOut.some((one) => one === name)) expect(await reading, name).toBeNull()
    else await expect(reading, name).rejects.toMatchObject({ code })
  }
})
