import { describe, expect, it } from 'vitest'
import {
  base32Lower,
  concatBytes,
  equalBytes,
  fromBase64url,
  fromHex,
  toBase64url,
  toHex,
  utf8Decode,
  utf8Encode,
} from './bytes.ts'
import { H } from './hash.ts'

const refused = expect.objectContaining({ name: 'EnvelopeError', code: 'encoding-invalid' })

describe('hexadecimal', () => {
  it('round-trips every byte value', () => {
    const all = Uint8Array.from({ length: 256 }, (_, index) => index)
    expect(fromHex(toHex(all))).toEqual(all)
  })

  it.each(['0', 'AB', '0x00', 'zz', ' 00', '00 '])('refuses %j instead of guessing', (text) => {
    expect(() => fromHex(text)).toThrow(refused)
  })
})

describe('base64url', () => {
  it.each([
    [[], ''],
    [[0xfb, 0xff], '-_8'],
    [[1, 2, 3], 'AQID'],
  ])('writes %j as %j and reads it back', (bytes, text) => {
    expect(toBase64url(Uint8Array.from(bytes))).toBe(text)
    expect(fromBase64url(text)).toEqual(Uint8Array.from(bytes))
  })

  it.each([
    ['padding', 'AQ=='],
    ['the standard alphabet', '+/8'],
    ['spare bits that are not zero', 'AR'],
    ['an impossible length', 'A'],
    ['white space', 'AQ ID'],
  ])('refuses %s', (_, text) => {
    expect(() => fromBase64url(text)).toThrow(refused)
  })
})

describe('base32', () => {
  it('gives 32 characters of [a-z2-7] for 20 bytes', () => {
    expect(base32Lower(new Uint8Array(20).fill(0xff))).toBe('7'.repeat(32))
    expect(base32Lower(utf8Encode('foobar'))).toBe('mzxw6ytboi')
  })
})

describe('text', () => {
  it('keeps a byte order mark and refuses what is not Unicode', () => {
    expect(utf8Decode(utf8Encode('\ufeffé🙂'))).toBe('\ufeffé🙂')
    expect(() => utf8Encode('\ud800')).toThrow(refused)
    expect(() => utf8Decode(Uint8Array.of(0xc3, 0x28))).toThrow(refused)
  })
})

describe('equalBytes and concatBytes', () => {
  it('compares content and length', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0))).toBe(false)
    expect(concatBytes(Uint8Array.of(1), new Uint8Array(), Uint8Array.of(2, 3))).toEqual(
      Uint8Array.of(1, 2, 3),
    )
  })
})

describe('H', () => {
  it('separates its parts, so that moving a byte between them changes the hash', () => {
    expect(H('tag', 'AB', '/x')).not.toEqual(H('tag', 'A', 'B/x'))
    expect(H('tag', 'a')).not.toEqual(H('tag', 'a', ''))
    expect(H('tag', 'é')).toEqual(H('tag', utf8Encode('é')))
  })

  it('is SHA-256 over length-prefixed parts', () => {
    // printf '\0\0\0\3tag\0\0\0\1a' | sha256sum
    expect(toHex(H('tag', 'a'))).toBe('ff02c85a22ba76bc95e3b52de60e675c220d11314554902c83ab50a30b175397')
  })
})
