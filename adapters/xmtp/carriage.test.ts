import { describe, expect, it } from 'vitest'
import { AdapterError, type SendIntent } from '../../src/adapter/index.ts'
import { MAX_FRAME_BYTES, toInbound, toOutgoing } from './carriage.ts'
import { contentTypeEnvelope, ENVELOPE_FALLBACK, envelopeCodec, isEnvelope } from './codec.ts'
import type { XmtpMessage } from './inbox.ts'

const own = 'aa'.repeat(32)
const peer = 'bb'.repeat(32)
const frame = Uint8Array.of(0, 1, 254, 255)
const transactionId = '0123456789abcdef'.repeat(2)

const intent = (change: Partial<SendIntent> = {}): SendIntent => ({
  transactionId,
  envelopeId: new Uint8Array(32),
  frame,
  to: { wallet: `eip155:*:0x${'bb'.repeat(20)}`, address: peer },
  from: { wallet: `eip155:*:0x${'aa'.repeat(20)}`, address: null },
  conversation: new Uint8Array(32),
  ephemeral: false,
  silent: false,
  attempt: 1,
  ...change,
})

const message = (change: Partial<XmtpMessage> = {}) =>
  ({
    id: 'cc'.repeat(32),
    senderInboxId: peer,
    contentType: contentTypeEnvelope,
    content: { frame, transactionId },
    sentAt: new Date(1_795_000_000_123),
    ...change,
  }) as XmtpMessage

function refusal(work: () => unknown): AdapterError {
  try {
    work()
  } catch (error) {
    if (AdapterError.is(error)) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('content type', () => {
  it('carries bytes and transaction id, and reads its own writing', () => {
    const encoded = envelopeCodec.encode({ frame, transactionId })
    expect(encoded).toEqual({
      type: contentTypeEnvelope,
      parameters: { tx: transactionId },
      fallback: ENVELOPE_FALLBACK,
      content: frame,
    })
    expect(envelopeCodec.decode(encoded)).toEqual({ frame, transactionId })
    expect(envelopeCodec.decode(envelopeCodec.encode({ frame }))).toEqual({ frame })
  })

  it('asks for a notification unless it is silent', () => {
    expect(envelopeCodec.shouldPush({ frame })).toBe(true)
    expect(envelopeCodec.shouldPush({ frame, silent: true })).toBe(false)
  })

  it('is known in later minor versions, and not in another major one', () => {
    expect(isEnvelope({ ...contentTypeEnvelope, versionMinor: 3 })).toBe(true)
    expect(isEnvelope({ ...contentTypeEnvelope, versionMajor: 2 })).toBe(false)
    expect(isEnvelope({ ...contentTypeEnvelope, authorityId: 'xmtp.org' })).toBe(false)
    expect(isEnvelope(undefined)).toBe(false)
  })
})

describe('out', () => {
  it('is the same message for every attempt', () => {
    expect(toOutgoing(intent({ attempt: 7 }))).toEqual(toOutgoing(intent()))
  })

  it.each([
    [{}, true],
    [{ silent: true }, false],
    [{ ephemeral: true }, false],
  ])('notifies as %j asks', (change, push) => {
    expect(toOutgoing(intent(change)).push).toBe(push)
  })

  it('refuses what XMTP cannot carry', () => {
    const tooLarge = refusal(() => toOutgoing(intent({ frame: new Uint8Array(MAX_FRAME_BYTES + 1) })))
    expect(tooLarge).toMatchObject({ class: 'tooLarge', remoteCode: 'too-large' })
    const address = { wallet: 'eip155:*:0x0', address: peer.toUpperCase() }
    expect(refusal(() => toOutgoing(intent({ to: address })))).toMatchObject({
      class: 'permanent',
      remoteCode: 'address-invalid',
    })
  })
})

describe('in', () => {
  it('was sent to the gateway by whom MLS names', () => {
    expect(toInbound(message(), 'stream', { own, peer })).toEqual({
      frame,
      remoteId: 'cc'.repeat(32),
      to: own,
      from: peer,
      via: 'stream',
      remoteTime: 1_795_000_000_123,
      transactionId: null,
    })
  })

  it('is an echo with its transaction when it is our own', () => {
    const echo = toInbound(message({ senderInboxId: own }), 'history', { own, peer })
    expect(echo).toMatchObject({ from: own, to: peer, transactionId })
  })

  it.each([
    ['another content type', { contentType: { ...contentTypeEnvelope, typeId: 'text' } }],
    ['no content', { content: undefined }],
    ['content that is not bytes', { content: { frame: 'text' } }],
  ])('is nothing with %s', (_what, change) => {
    expect(toInbound(message(change as Partial<XmtpMessage>), 'stream', { own, peer })).toBeNull()
  })
})
