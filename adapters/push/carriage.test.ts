import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decodeText, encodeText, MAX_FRAME_BYTES } from './carriage.ts'
import { canonicalDid, didOfWallet, isDid } from './did.ts'

it('a frame comes back as it was', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), (frame) => {
      expect(decodeText(encodeText(frame))).toEqual(frame)
    }),
  )
  const largest = new Uint8Array(MAX_FRAME_BYTES).fill(7)
  expect(decodeText(encodeText(largest))).toEqual(largest)
})

it('what is not ours is none', () => {
  const tooLong = encodeText(new Uint8Array(MAX_FRAME_BYTES + 3))
  for (const text of [
    '',
    'hello',
    'causeway1:',
    'causeway2:AQ',
    'causeway1:A',
    'causeway1:A=',
    'causeway1:AR',
    tooLong,
  ]) {
    expect(decodeText(text)).toBe(null)
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      const frame = decodeText(`causeway1:${text}`)
      if (frame) expect(encodeText(frame)).toBe(`causeway1:${text}`)
    }),
  )
})

const did = 'eip155:0x52908400098527886E0F7030069857D2E4169EE7'

it('DIDs have a checksum and nothing else', () => {
  expect(didOfWallet('eip155:*:0x52908400098527886e0f7030069857d2e4169ee7')).toBe(did)
  expect(didOfWallet('eip155:1:0x52908400098527886e0f7030069857d2e4169ee7')).toBe(null)
  expect(didOfWallet('solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:x')).toBe(null)
  expect(isDid(did)).toBe(true)
  for (const wrong of [
    did.toLowerCase(),
    `${did} `,
    did.slice(7),
    '',
    'eip155:1:0x52908400098527886E0F7030069857D2E4169EE7',
  ]) {
    expect(isDid(wrong)).toBe(false)
  }
})

it('every form that the service takes has one canonical DID', () => {
  const address = did.slice(7)
  for (const form of [did, did.toLowerCase(), address, address.toLowerCase(), `eip155:11155111:${address}`]) {
    expect(canonicalDid(form)).toBe(did)
  }
  for (const wrong of [
    '',
    'eip155:',
    `nft:${did}`,
    `${address}0`,
    'eip155:1:1:0x52908400098527886E0F7030069857D2E4169EE7',
  ]) {
    expect(canonicalDid(wrong)).toBe(null)
  }
})
