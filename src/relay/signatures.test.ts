import { expect, test } from 'vitest'
import {
  generateDeviceKey,
  signerFromDeviceKey,
  type VerifyEd25519,
  verifyEd25519,
} from '../envelope/index.ts'
import { createSignatureVerifier, createThreadPoolVerifier } from './signatures.ts'

const message = new TextEncoder().encode('a message')
const verifiers: [string, VerifyEd25519][] = [
  ['the default', createSignatureVerifier()],
  ['OpenSSL', createThreadPoolVerifier({ maxKeys: 2 })],
  ['the one of browsers', verifyEd25519],
]

async function signed(text: string) {
  const { publicKey, privateKey } = generateDeviceKey()
  const bytes = new TextEncoder().encode(text)
  return { publicKey, bytes, signature: await signerFromDeviceKey(privateKey)(bytes) }
}

test.each(verifiers)('%s takes good signatures and refuses bad ones', async (_name, verify) => {
  for (let round = 0; round < 5; round++) {
    const { publicKey, bytes, signature } = await signed('a message')
    expect(await verify(signature, bytes, publicKey)).toBe(true)
    expect(await verify(signature, new Uint8Array([1]), publicKey)).toBe(false)
    signature[3]! ^= 1
    expect(await verify(signature, bytes, publicKey)).toBe(false)
  }
})

test.each(verifiers)('%s answers each of many at once for itself', async (_name, verify) => {
  const all = await Promise.all(Array.from({ length: 80 }, (_, index) => signed('x'.repeat(index))))
  const answers = await Promise.all(
    all.map(({ publicKey, bytes, signature }, index) => {
      if (index % 3 === 0) signature[0]! ^= 1
      return verify(signature, bytes, index % 7 === 0 ? all[1]!.publicKey : publicKey)
    }),
  )
  expect(answers).toEqual(all.map((_, index) => index % 3 !== 0 && index % 7 !== 0))
})

test.each(verifiers)(
  '%s answers false, not an error, for keys and signatures that are none',
  async (_name, verify) => {
    const { publicKey } = generateDeviceKey()
    expect(await verify(new Uint8Array(63), message, publicKey)).toBe(false)
    expect(await verify(new Uint8Array(64), message, publicKey.slice(1))).toBe(false)
    expect(await verify(new Uint8Array(64), message, new Uint8Array(32).fill(255))).toBe(false)
  },
)

test.each(verifiers)('for %s a key of small order signs nothing', async (_name, verify) => {
  // The neutral element: with it, a signature of zeros and the same point verifies for any message in a lax verifier.
  const neutral = new Uint8Array(32)
  neutral[0] = 1
  const forged = new Uint8Array(64)
  forged[0] = 1
  expect(await verify(forged, message, neutral)).toBe(false)
})
