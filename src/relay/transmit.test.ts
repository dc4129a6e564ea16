import { expect, it } from 'vitest'
import { ContentError } from '../content/index.ts'
import { EnvelopeError } from '../envelope/index.ts'
import { hopAddress } from './hop.ts'
import { createTransmitter, type SendPlan } from './transmit.ts'

/** A hop request whose planning fails. */
async function failing(error: Error): Promise<SendPlan | null> {
  const transmitter = createTransmitter(
    {
      settings: { sendTimeoutMs: 1_000 },
      hop: { enrolments: {} },
    } as never,
    {} as never,
    new AbortController().signal,
    { plan: () => Promise.reject(error) } as never,
  )
  return transmitter.plan({} as never, { address: hopAddress('enrolment') }, {} as never)
}

it.each([
  ['an envelope', new EnvelopeError('envelope-content-too-large', 'no'), 'permanent'],
  ['a content', new ContentError('content-value-invalid', 'no'), 'permanent'],
  ['anything else', new Error('the disk is away'), 'retryable'],
])('the error of %s before a send is told as what it is', async (_what, cause, errorClass) => {
  expect(await failing(cause)).toMatchObject({ failure: { class: errorClass, cause } })
})
