import { afterEach, expect, test } from 'vitest'
import {
  decodeFrame,
  decodeSealed,
  generateEncryptionKeyPair,
  toHex,
  verifySealed,
} from '../envelope/index.ts'
import { createFrames } from './frames.ts'
import { createPerson, RelayBench, seal } from './testing/bench.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** An envelope for Bob's device and 20 others, as it is stored. */
async function setUp({ known }: { known: boolean }) {
  const [alice, bob] = [createPerson(), createPerson()]
  const gateway = await bench.gateway({ name: 'gw-a', networks: {}, wallets: [alice, bob] })
  const others = await Promise.all(Array.from({ length: 20 }, () => generateEncryptionKeyPair(1)))
  const bobs = known ? await gateway.publishPrekey(bob) : (await generateEncryptionKeyPair(1)).publicKey
  const { id, bytes } = await seal(alice, [bob], {
    keys: [...others.map(({ publicKey }) => publicKey), bobs],
  })
  await gateway.submit(alice, bytes)
  const frames = createFrames({ gateway: 'gw-a', store: gateway.store, trust: gateway.identity })
  return { alice, bob, id, frames, envelope: (await frames.envelope(id))! }
}

test('a frame that fits goes whole, with the own hop and the certificate of the key log', async () => {
  const { alice, bob, id, frames, envelope } = await setUp({ known: true })
  const frame = decodeFrame(await frames.outgoing(envelope, bob.wallet, 100_000))
  expect(toHex(frame.id)).toBe(toHex(id))
  expect(frame.bytes).toEqual(envelope.bytes)
  expect(frame.trace).toEqual([{ gateway: 'gw-a', network: 'http', at: envelope.receivedAt }])
  expect(frame.certificate).toEqual(alice.certificate)
  expect(frame.mode).toBe('sealed')
})

test('one that does not fit keeps the wraps of the recipient’s prekeys alone: same id, same signature', async () => {
  const { bob, id, frames, envelope } = await setUp({ known: true })
  const whole = await frames.outgoing(envelope, bob.wallet, 100_000)
  const stripped = decodeFrame(await frames.outgoing(envelope, bob.wallet, whole.length - 1))
  const sealed = decodeSealed(stripped.bytes)
  expect(sealed.wraps.length).toBe(1)
  expect(toHex(sealed.id)).toBe(toHex(id))
  expect(await verifySealed(sealed)).toBe(true)
  expect(await frames.opensFor(stripped.bytes, bob.wallet, Date.now())).toBe(true)
})

test('where the recipient’s keys are not known, or even that is too large, it is too large', async () => {
  for (const known of [true, false]) {
    const { bob, frames, envelope } = await setUp({ known })
    const limit = known ? 300 : (await frames.outgoing(envelope, bob.wallet, 100_000)).length - 1
    await expect(frames.outgoing(envelope, bob.wallet, limit)).rejects.toMatchObject({ class: 'tooLarge' })
  }
})
