import { describe, expect, it } from 'vitest'
import { AdapterError } from '../../src/adapter/index.ts'
import { toAdapterError, toXmtpError, XmtpError, type XmtpErrorCode } from './errors.ts'

/** As libxmtp 1.11 writes them. */
const texts: [text: string, code: XmtpErrorCode, before: string, stored: string][] = [
  [
    '[GroupError::Sync] api client error api client at endpoint "/xmtp.mls.api.v1.MlsApi/QueryGroupMessages" has error code: \'The service is currently unavailable\', message: "tcp connect error"',
    'unavailable',
    'retryable',
    'uncertain',
  ],
  [
    '[ClientError::Group] SequenceId not found in local db',
    'recipient-not-registered',
    'permanent',
    'permanent',
  ],
  [
    '[SignatureError::Invalid] Signature error Signature validation failed',
    'signature-invalid',
    'permanent',
    'permanent',
  ],
  // Trouble on the way to a check is no word on the signature.
  [
    '[SignatureRequestError::Api] The service is currently unavailable',
    'unavailable',
    'retryable',
    'uncertain',
  ],
  ['[GroupError::GroupInactive] Group is inactive', 'conversation-inactive', 'permanent', 'permanent'],
  [
    '[StorageError::Platform] PRAGMA key or salt has incorrect value',
    'database-key-wrong',
    'auth',
    'uncertain',
  ],
  [
    'Cannot register a new installation because the InboxID has already registered 10/10 installations',
    'installation-limit',
    'auth',
    'uncertain',
  ],
  [
    'publishing to XMTP V3 is no longer available. Please upgrade your client to XMTP D14N.',
    'protocol-retired',
    'auth',
    'uncertain',
  ],
  [
    'has error code: \'Some resource has been exhausted\', message: "too many"',
    'rate-limited',
    'rateLimited',
    'uncertain',
  ],
  [
    '[GroupError::Storage] storage error: Pool needs to  reconnect before use',
    'database-failed',
    'retryable',
    'uncertain',
  ],
  ['[GroupError::SyncFailedToWait] Sync failed to wait for intent', 'failed', 'retryable', 'uncertain'],
  ['something else', 'failed', 'retryable', 'uncertain'],
]

describe('failures of the SDK', () => {
  it.each(texts)('%s', (text, code, before, stored) => {
    expect(toXmtpError(new Error(text)).code).toBe(code)
    expect(toAdapterError(new Error(text))).toMatchObject({ class: before, remoteCode: code })
    expect(toAdapterError(new Error(text), 'stored')).toMatchObject({ class: stored, remoteCode: code })
  })

  it('say nothing of inboxes and wallets in their messages', () => {
    const inbox = 'ab'.repeat(32)
    const error = toAdapterError(
      new Error(`[ClientError::Group] no installations of ${inbox} at 0x${'cd'.repeat(20)}`),
    )
    expect(error.message).not.toContain(inbox)
    expect(error.message).not.toContain('cdcd')
  })

  it('name the time to wait where there is one to name', () => {
    const own = new XmtpError('rate-limited', 'used up', { retryAfterMs: 1234 })
    expect(toAdapterError(own).retryAfterMs).toBe(1234)
    expect(toAdapterError(new Error('rate limit')).retryAfterMs).toBeGreaterThan(0)
  })

  it('stay what they are', () => {
    const error = new AdapterError('tooLarge', 'no')
    expect(toAdapterError(error, 'stored')).toBe(error)
  })
})
