import { encode, rfc8949EncodeOptions } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from './bytes.ts'
import { decodeCanonical, encodeCanonical } from './cbor.ts'

const LIMITS = { maxBytes: 4096, maxDepth: 4 }
const decodeHex = (hex: string) => decodeCanonical(fromHex(hex), LIMITS)
const withCode = (code: string) => expect.objectContaining({ name: 'EnvelopeError', code })

describe('encodeCanonical', () => {
  // RFC 8949 appendix A.
  it.each([
    [0, '00'],
    [23, '17'],
    [24, '1818'],
    [1000000, '1a000f4240'],
    [-1000, '3903e7'],
    [9007199254740991, '1b001fffffffffffff'],
    [null, 'f6'],
    [false, 'f4'],
    ['ü', '62c3bc'],
    [[1, [2, 3]], '8201820203'],
    [{ b: [2, 3], a: 1 }, 'a26161016162820203'],
  ])('writes %j as %s', (value, hex) => {
    expect(toHex(encodeCanonical(value))).toBe(hex)
    expect(decodeHex(hex)).toEqual(value)
  })

  it('sorts map keys by their encoding (RFC 8949 section 4.2.1), so shorter keys come first', () => {
    expect(toHex(encodeCanonical({ aa: 1, b: 2 }))).toBe('a261620262616101')
  })

  it.each([
    ['a float', 1.5],
    ['NaN', Number.NaN],
    ['an unsafe integer', 2 ** 53],
    ['undefined', undefined],
    ['undefined in a map', { a: undefined }],
    ['a bigint', 1n],
    ['a Map', new Map()],
    ['a date', new Date(0)],
    ['a lone surrogate', '\ud800'],
    ['a leading byte order mark, which decoders strip', '\ufeffa'],
    ['a lone surrogate in a key', { '\udc00': 1 }],
  ])('refuses %s', (_, value) => {
    expect(() => encodeCanonical(value)).toThrow(withCode('value-not-encodable'))
  })

  it('writes what a general library writes, and reads it again', () => {
    const key = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => text.isWellFormed())
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, false, '', 'x'.repeat(70_000)),
        fc.maxSafeInteger(),
        fc.integer({ min: -300, max: 70_000 }),
        key,
        fc.uint8Array({ maxLength: 300 }),
        fc.array(tie('value'), { maxLength: 30 }),
        fc.dictionary(key, tie('value'), { maxKeys: 30, noNullPrototype: true }),
      ),
    }))
    const limits = { maxBytes: 10_000_000, maxDepth: 16 }
    fc.assert(
      fc.property(value, (sent) => {
        fc.pre(!JSON.stringify(sent).includes('\ufeff'))
        const bytes = encodeCanonical(sent)
        expect(toHex(bytes)).toBe(toHex(encode(sent, rfc8949EncodeOptions)))
        expect(decodeCanonical(bytes, limits)).toEqual(Object.is(sent, -0) ? 0 : sent)
      }),
      { numRuns: 300 },
    )
  })

  it('refuses a value that contains itself', () => {
    const loop: unknown[] = []
    loop.push(loop)
    expect(() => encodeCanonical(loop)).toThrow(withCode('value-not-encodable'))
  })
})

describe('decodeCanonical', () => {
  it.each([
    ['a number in too many bytes', '1800'],
    ['a number in too many bytes (16 bits)', '190017'],
    ['a number in too many bytes (64 bits)', '1b00000000ffffffff'],
    ['a length in too many bytes', '580101'],
    ['an indefinite array', '9f01ff'],
    ['an indefinite map', 'bf616101ff'],
    ['an indefinite byte string', '5f4101ff'],
    ['unsorted map keys', 'a2616201616101'],
    ['longer keys before shorter ones', 'a262616101616202'],
    ['text that is not UTF-8', '62c328'],
    ['text with a leading byte order mark', '64efbbbf61'],
  ])('refuses %s as not canonical', (_, hex) => {
    expect(() => decodeHex(hex)).toThrow(withCode('envelope-not-canonical'))
  })

  it.each([
    ['no bytes', ''],
    ['a half float', 'f93c00'],
    ['a double', 'fb3ff8000000000000'],
    ['undefined', 'f7'],
    ['another simple value', 'f8ff'],
    ['a break outside', 'ff'],
    ['a tag', 'c074323031332d30332d32315432303a30343a30305a'],
    ['a bignum', 'c249010000000000000000'],
    ['a repeated map key', 'a2616101616102'],
    ['a map key that is a number', 'a10102'],
    ['an integer beyond 2^53', '1b0020000000000000'],
    ['trailing bytes', '0000'],
    ['a missing array item', '8201'],
    ['a missing map value', 'a16161'],
    ['a string longer than the input', '590fff00'],
    ['an array of 2^32 items in five bytes', '9affffffff'],
    ['a map of 2^63 entries', 'bb8000000000000000'],
    ['a length cut short', '19ff'],
    ['a reserved length', '1c'],
    ['nesting over the cap', '818181818100'],
  ])('refuses %s as malformed', (_, hex) => {
    expect(() => decodeHex(hex)).toThrow(withCode('envelope-malformed'))
  })

  it('accepts nesting up to the cap', () => {
    expect(decodeHex('8181818100')).toEqual([[[[0]]]])
  })

  it('refuses a megabyte of nesting without recursing, wherever it starts', () => {
    const bytes = new Uint8Array(1 << 20).fill(0x81)
    bytes[0] = 0x82
    bytes[1] = 0x58
    bytes[2] = 200
    expect(() => decodeCanonical(bytes, { maxBytes: 1 << 20, maxDepth: 8 })).toThrow(
      withCode('envelope-malformed'),
    )
  })

  it('refuses input over the size cap before reading it', () => {
    expect(() => decodeCanonical(new Uint8Array(11), { maxBytes: 10, maxDepth: 1 })).toThrow(
      withCode('envelope-too-large'),
    )
  })

  it('keeps a key named __proto__ as data', () => {
    const value = decodeHex('a1695f5f70726f746f5f5fa16161f5') as object
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect('a' in value).toBe(false)
  })

  it('returns plain byte strings of its own, also for a Buffer that is used again', () => {
    const input = Buffer.from('8243010203a16162420405', 'hex')
    const value = decodeCanonical(input, LIMITS)
    input.fill(0)
    expect(value).toEqual([Uint8Array.of(1, 2, 3), { b: Uint8Array.of(4, 5) }])
    expect(encodeCanonical('é'.repeat(40)).constructor).toBe(Uint8Array)
    expect(encodeCanonical([Buffer.from('a'), 'é'.repeat(40)]).constructor).toBe(Uint8Array)
  })

  it('reads a view into a larger buffer', () => {
    const buffer = Uint8Array.of(9, 9, 0x82, 1, 2, 9)
    expect(decodeCanonical(buffer.subarray(2, 5), LIMITS)).toEqual([1, 2])
  })
})
