import { decode, encode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeMessage, readSubmission } from './socket-codec.ts'
import { decodeClientFrame, KIND } from './socket-protocol.ts'

describe('encodeMessage', () => {
  it('writes what a general decoder reads', () => {
    const bytes = fc.uint8Array({ maxLength: 400 })
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.boolean(),
        fc.maxSafeNat(),
        fc.string({ unit: 'grapheme', maxLength: 300 }),
        bytes,
        fc.array(tie('value'), { maxLength: 30 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 30, noNullPrototype: true }),
      ),
    }))
    fc.assert(
      fc.property(value, (sent) => {
        expect(decode(encodeMessage(sent))).toEqual(sent)
      }),
    )
    const large = { sealed: new Uint8Array(200_000).fill(7), text: 'x'.repeat(70_000) }
    expect(decode(encodeMessage([large, large]))).toEqual([large, large])
  })

  it('refuses what no message holds', () => {
    for (const value of [-1, 0.5, 2 ** 53, undefined, () => {}]) {
      expect(() => encodeMessage([value])).toThrow(TypeError)
    }
  })
})

describe('readSubmission', () => {
  const sealed = new Uint8Array(300).fill(1)
  const wallet = `eip155:*:0x${'ab'.repeat(20)}`

  it('reads what general encoders write', () => {
    for (const requestId of [0, 23, 24, 255, 256, 65_536, 2 ** 32 - 1]) {
      const expected = { kind: 'submit', requestId, wallet, sealed }
      expect(readSubmission(encode([KIND.submit, requestId, { wallet, sealed }]), KIND.submit)).not.toBeNull()
      expect(decodeClientFrame(encode([KIND.submit, requestId, { wallet, sealed }]))).toEqual(expected)
      expect(decodeClientFrame(encodeMessage([KIND.submit, requestId, { wallet, sealed }]))).toEqual(expected)
      expect(decodeClientFrame(encodeMessage([KIND.submit, requestId, { sealed, wallet }]))).toEqual(expected)
    }
  })

  it('leaves everything else to the general decoder', () => {
    const good = encodeMessage([KIND.submit, 7, { wallet, sealed }])
    for (const other of [
      [KIND.detach, 7, { wallet, sealed }],
      [KIND.submit, -7, { wallet, sealed }],
      [KIND.submit, 7, { wallet, sealed, more: 1 }],
      [KIND.submit, 7, { wallet: 'ä', sealed }],
      [KIND.submit, 7, { wallet, sealed: 'text' }],
      [KIND.submit, 7],
    ]) {
      expect(readSubmission(encode(other), KIND.submit)).toBeNull()
    }
    expect(readSubmission(new Uint8Array([...good, 0]), KIND.submit)).toBeNull()
    for (let length = 0; length < good.length; length++) {
      expect(readSubmission(good.subarray(0, length), KIND.submit)).toBeNull()
    }
    // Members of one name twice, and lengths that are longer than they need to be.
    const wallets = encodeMessage([wallet, wallet]).subarray(1)
    const twice = [
      0x83,
      KIND.submit,
      7,
      0xa2,
      0x66,
      ...Buffer.from('wallet'),
      ...wallets.subarray(0, wallets.length / 2),
    ]
    expect(readSubmission(new Uint8Array([...twice, ...twice.slice(4)]), KIND.submit)).toBeNull()
    expect(
      readSubmission(new Uint8Array([0x83, KIND.submit, 0x18, 7, ...good.subarray(3)]), KIND.submit),
    ).toBeNull()
  })
})
