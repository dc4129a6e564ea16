import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeMessage, encodeMessage, MAX_FRAME_BYTES, messageNumbers } from './carriage.ts'

const envelopeId = new Uint8Array(32).fill(7)
const transactionId = '0123456789abcdef0123456789abcdef'

describe('the TRTC carriage', () => {
  it('gives back any frame byte for byte, with both ids', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2048 }), (frame) => {
        const message = encodeMessage(frame, envelopeId, transactionId)
        expect(decodeMessage(message.MsgBody, message.CloudCustomData)).toEqual({
          frame,
          envelopeId: '07'.repeat(32),
          transactionId,
        })
      }),
    )
  })

  it('keeps the largest frame under 12,000 bytes of message', () => {
    const message = encodeMessage(new Uint8Array(MAX_FRAME_BYTES).fill(255), envelopeId, transactionId)
    expect(Buffer.byteLength(JSON.stringify(message))).toBeLessThan(12_000)
  })

  it('shows people that the message is encrypted', () => {
    expect(encodeMessage(new Uint8Array([1]), envelopeId, transactionId).MsgBody[0].MsgContent.Desc).toBe(
      '[Encrypted message]',
    )
  })

  it('reads a message without ids, or with ids it cannot read', () => {
    const { MsgBody } = encodeMessage(new Uint8Array([1, 2, 3]), envelopeId, transactionId)
    for (const cloud of [undefined, '', 'not json', '[]', '7', '{"id":"XY","tx":7}', '{"id":"aa"}']) {
      expect(decodeMessage(MsgBody, cloud)).toEqual({
        frame: new Uint8Array([1, 2, 3]),
        envelopeId: null,
        transactionId: null,
      })
    }
  })

  it('takes nothing that is not exactly one element of ours', () => {
    const [element] = encodeMessage(new Uint8Array([1, 2, 3]), envelopeId, transactionId).MsgBody
    const withContent = (content: object) => [
      { ...element, MsgContent: { ...element.MsgContent, ...content } },
    ]
    const others: unknown[] = [
      null,
      'text',
      [],
      [element, element],
      [{ MsgType: 'TIMTextElem', MsgContent: { Text: 'hello' } }],
      [{ ...element, MsgType: 'TIMTextElem' }],
      withContent({ Ext: 'causeway/2' }),
      withContent({ Data: '' }),
      withContent({ Data: 'AQID==' }),
      withContent({ Data: 'AQ+/' }),
      withContent({ Data: 'AR' }), // spare bits set: not canonical
      withContent({ Data: 'A'.repeat(12_004) }),
      withContent({ Data: 'A'.repeat(11_608) }), // one frame byte too many
      withContent({ Data: { nested: true } }),
    ]
    for (const other of others) expect(decodeMessage(other, null)).toBeNull()
  })

  it('never throws, whatever arrives', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (body, cloud) => {
        decodeMessage(body, cloud)
      }),
    )
  })
})

describe('message numbers', () => {
  it('follow from the transaction id alone and differ between transactions', () => {
    expect(messageNumbers(transactionId)).toEqual(messageNumbers(transactionId))
    const seen = new Set<string>()
    for (let index = 0; index < 1000; index++) {
      const { MsgSeq, MsgRandom } = messageNumbers(index.toString(16).padStart(32, '0'))
      for (const number of [MsgSeq, MsgRandom]) {
        expect(Number.isInteger(number) && number >= 0 && number <= 0xffffffff).toBe(true)
      }
      seen.add(`${MsgSeq}:${MsgRandom}`)
    }
    expect(seen.size).toBe(1000)
  })
})
