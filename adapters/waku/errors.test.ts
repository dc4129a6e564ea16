import { describe, expect, it } from 'vitest'
import { AdapterError } from '../../src/adapter/index.ts'
import { toAdapterError, WakuError } from './errors.ts'

describe('errors for the relay', () => {
  it.each([
    [413, 'tooLarge'],
    [429, 'rateLimited'],
    [401, 'auth'],
    [400, 'permanent'],
    [420, 'permanent'],
    [421, 'permanent'],
    [500, 'retryable'],
    [503, 'retryable'],
    [504, 'retryable'],
    [505, 'retryable'],
  ])('a refusal with status %i is %s', (status, errorClass) => {
    const error = toAdapterError(new WakuError('refused', 'refused', { status }))
    expect(error.class).toBe(errorClass)
    expect(error.remoteCode).toBe(status)
    if (errorClass === 'rateLimited') expect(error.retryAfterMs).toBeGreaterThan(0)
  })

  it.each([
    ['no-peer', 'retryable'],
    ['listen-failed', 'retryable'],
    ['answer-lost', 'uncertain'],
    ['malformed-answer', 'uncertain'],
    ['query-invalid', 'permanent'],
  ] as const)('%s is %s', (code, errorClass) => {
    expect(toAdapterError(new WakuError(code, 'text')).class).toBe(errorClass)
  })

  it('what is not known to have failed before sending is uncertain, and an AdapterError stays as it is', () => {
    expect(toAdapterError(new Error('odd')).class).toBe('uncertain')
    const own = new AdapterError('auth', 'text')
    expect(toAdapterError(own)).toBe(own)
  })
})
