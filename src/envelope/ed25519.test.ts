import { describe, expect, it } from 'vitest'
import { fromHex, toHex } from './bytes.ts'
import { generateDeviceKey, signerFromDeviceKey, verifyEd25519 } from './ed25519.ts'

// RFC 8032 section 7.1, TEST 3.
const SEED = fromHex('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7')
const PUBLIC_KEY = fromHex('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025')
const MESSAGE = fromHex('af82')
const SIGNATURE =
  '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'

describe('Ed25519', () => {
  it('signs and verifies the vector of RFC 8032', async () => {
    expect(toHex(await signerFromDeviceKey(SEED)(MESSAGE))).toBe(SIGNATURE)
    expect(await verifyEd25519(fromHex(SIGNATURE), MESSAGE, PUBLIC_KEY)).toBe(true)
  })

  it('refuses another message, key or signature, and lengths that are wrong, without throwing', async () => {
    const signature = fromHex(SIGNATURE)
    const other = generateDeviceKey().publicKey
    expect(await verifyEd25519(signature, Uint8Array.of(1), PUBLIC_KEY)).toBe(false)
    expect(await verifyEd25519(signature, MESSAGE, other)).toBe(false)
    expect(await verifyEd25519(signature.subarray(1), MESSAGE, PUBLIC_KEY)).toBe(false)
    expect(await verifyEd25519(signature, MESSAGE, PUBLIC_KEY.subarray(1))).toBe(false)
    expect(await verifyEd25519(new Uint8Array(64).fill(0xff), MESSAGE, new Uint8Array(32).fill(0xff))).toBe(
      false,
    )
  })

  it('refuses the neutral element as a key: it would verify one signature for every message', async () => {
    const neutral = fromHex(`01${'00'.repeat(31)}`)
    const signature = new Uint8Array(64)
    signature[0] = 1
    expect(await verifyEd25519(signature, MESSAGE, neutral)).toBe(false)
  })

  it('refuses a scalar that is not reduced: a relay could make a second signature of it', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const signature = fromHex(SIGNATURE)
    let scalar = 0n
    for (let index = 63; index >= 32; index--) scalar = scalar * 256n + BigInt(signature[index]!)
    scalar += order
    for (let index = 32; index < 64; index++, scalar >>= 8n) signature[index] = Number(scalar & 255n)
    expect(await verifyEd25519(signature, MESSAGE, PUBLIC_KEY)).toBe(false)
  })

  it('makes a new key each time', () => {
    expect(generateDeviceKey().privateKey).not.toEqual(generateDeviceKey().privateKey)
  })
})
