import { describe, expect, it } from 'vitest'
import type { AdapterErrorClass } from '../../src/adapter/index.ts'
import { answerError, isUnreachable, operatorAction, statusError, transportError } from './errors.ts'

const failure = (code: string) => Object.assign(new TypeError('fetch failed'), { cause: { code } })
const nested = (code: string) =>
  new TypeError('fetch failed', { cause: Object.assign(new Error('connect'), { code }) })

describe('answers of the service', () => {
  const expected: [AdapterErrorClass, number[]][] = [
    ['rateLimited', [10006, 10023, 60007, 60011, 60018, 60019, 60028, 72002]],
    ['uncertain', [10002, 20004, 20005, 60008, 70169, 90992, 90994, 91000]],
    ['auth', [60006, 60010, 60016, 60021, 60026, 70001, 70003, 70009, 70013, 70014, 70020, 70050, 80005]],
    ['permanent', [20003, 20006, 20007, 70107, 70398, 70402, 80001, 120001, 130000, 10150, 99999]],
    ['tooLarge', [80002, 93000]],
    ['unsupported', [60009]],
    ['retryable', [60004, 60014, 80003]],
  ]

  it.each(expected)('are %s: %j', (errorClass, codes) => {
    for (const code of codes) {
      const error = answerError('openim/sendmsg', code, 'sends')
      expect([code, error.class]).toEqual([code, errorClass])
      expect(error.remoteCode).toBe(code)
      expect(error.message).toContain(String(code))
      if (errorClass === 'rateLimited') expect(error.retryAfterMs).toBeGreaterThan(0)
    }
  })

  it('leave nothing uncertain where a call may be repeated', () => {
    for (const code of [10002, 60008, 70169, 91000]) {
      expect(answerError('openim/admin_getroammsg', code, 'idempotent').class).toBe('retryable')
    }
  })

  it('ask for a long pause when a daily quota is used up, a short one otherwise', () => {
    expect(answerError('openim/sendmsg', 60011, 'sends').retryAfterMs).toBe(1_000)
    expect(answerError('openim/sendmsg', 60028, 'sends').retryAfterMs).toBe(900_000)
  })

  it('tell operators what to do about credentials and limits', () => {
    for (const code of [60006, 60010, 60026, 70009, 70398]) {
      const action = operatorAction(code)
      expect(action).toBeTruthy()
      expect(answerError('openim/sendmsg', code, 'sends').message).toContain(action)
    }
    expect(operatorAction(20007)).toBeNull()
    expect(operatorAction('ECONNREFUSED')).toBeNull()
  })
})

describe('calls without an answer', () => {
  it('are retryable when nothing can have left', () => {
    for (const code of [
      'ECONNREFUSED',
      'ENOTFOUND',
      'EAI_AGAIN',
      'UND_ERR_CONNECT_TIMEOUT',
      'CERT_HAS_EXPIRED',
    ]) {
      const error = transportError('openim/sendmsg', nested(code), 'sends', true)
      expect([code, error.class]).toEqual([code, 'retryable'])
      expect(isUnreachable(error)).toBe(true)
    }
  })

  it('are uncertain when the message may have been taken', () => {
    for (const code of ['ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE']) {
      const error = transportError('openim/sendmsg', nested(code), 'sends', true)
      expect([code, error.class]).toEqual([code, 'uncertain'])
      expect(isUnreachable(error)).toBe(false)
    }
    const timeout = AbortSignal.abort(new DOMException('late', 'TimeoutError')).reason
    expect(transportError('openim/sendmsg', timeout, 'sends', true)).toMatchObject({
      class: 'uncertain',
      remoteCode: 'TimeoutError',
    })
    expect(transportError('openim/sendmsg', failure('x'), 'sends', true).class).toBe('uncertain')
    expect(transportError('openim/sendmsg', 'no error object', 'sends', true).class).toBe('uncertain')
  })

  it('are retryable before the request was handed over, and whenever a repeat is harmless', () => {
    expect(transportError('openim/sendmsg', nested('ECONNRESET'), 'sends', false).class).toBe('retryable')
    expect(transportError('x', nested('ECONNRESET'), 'idempotent', true).class).toBe('retryable')
  })

  it('never quote the error of the HTTP client, which may hold the URL and its UserSig', () => {
    const cause = new TypeError('Failed to parse URL from https://host/?usersig=eJsecret')
    const error = transportError('openim/sendmsg', cause, 'sends', true)
    expect(`${error.message} ${error.cause}`).not.toContain('eJsecret')
  })
})

describe('HTTP statuses other than 200', () => {
  it.each([
    [413, 'tooLarge'],
    [429, 'rateLimited'],
    [500, 'uncertain'],
    [502, 'uncertain'],
    [503, 'retryable'],
    [504, 'uncertain'],
    [400, 'retryable'],
    [404, 'retryable'],
  ] as const)('%i is %s for a send', (status, errorClass) => {
    expect(statusError('openim/sendmsg', status, 'sends')).toMatchObject({
      class: errorClass,
      remoteCode: status,
    })
  })

  it('5xx is retryable where a repeat is harmless', () => {
    expect(statusError('x', 502, 'idempotent').class).toBe('retryable')
  })
})
