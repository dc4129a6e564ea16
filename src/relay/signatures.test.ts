import { expect, test } from 'vitest'
import { generateDeviceKey, signerFromDeviceKey, verifyEd25519 } from '../envelope/index.ts'
import { createSignatureVerifier } from './signatures.ts'

const verify = createSignatureVerifier({ maxKeys: 2 })
const message = new TextEncoder().encode('a message')

test('takes good signatures and refuses bad ones, also with more keys than it keeps', async () => {
  for (let round = 0; round < 5; round++) {
    const { publicKey, privateKey } = generateDeviceKey()
    const signature = await signerFromDeviceKey(privateKey)(message)
    expect(await verify(signature, message, publicKey)).toBe(true)
    expect(await verify(signature, new Uint8Array([1]), publicKey)).toBe(false)
    signature[3]! ^= 1
    expect(await verify(signature, message, publicKey)).toBe(false)
  }
})

test('answers false, not an error, for keys and signatures that are none', async () => {
  const { publicKey } = generateDeviceKey()
  expect(await verify(new Uint8Array(63), message, publicKey)).toBe(false)
  expect(await verify(new Uint8Array(64), message, publicKey.slice(1))).toBe(false)
  expect(await verify(new Uint8Array(64), message, new Uint8Array(32).fill(255))).toBe(false)
})

test('a key of small order signs nothing, as in browsers', async () => {
  // The neutral element: with it, a signature of zeros and the same point verifies for any message in a lax verifier.
  const neutral = new Uint8Array(32)
  neutral[0] = 1
  const forged = new Uint8Array(64)
  forged[0] = 1
  expect(await verify(forged, message, neutral)).toBe(false)
  expect(await verifyEd25519(forged, message, neutral)).toBe(false)
})
