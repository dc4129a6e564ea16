/** The wallets of the simulated topologies: made once for all runs, with whatever costs time kept for the next run. */
import { randomBytes, verify } from 'node:crypto'
import { type Random, systemClock } from '../../src/adapter/index.ts'
import { equalBytes, toHex, type VerifyEd25519 } from '../../src/envelope/index.ts'
import { type VerifyWallet, verifyWalletSignature } from '../../src/identity/wallet-signature.ts'
import { createPerson, type Person, RelayBench, seal } from '../../src/relay/testing/bench.ts'

/** Start of every simulated run, Unix milliseconds. */
export const START = Date.UTC(2030, 0, 1)

/** Distinct wallets; a scenario uses the first few. */
export const PEOPLE: readonly Person[] = Array.from({ length: 4 }, createPersonOnce)

/** A person whose wallet signs each text once: the same texts come back in every run. */
function createPersonOnce(): Person {
  const person = createPerson()
  const sign = person.signer.signMessage.bind(person.signer)
  const signatures = new Map<string, Promise<string>>()
  person.signer.signMessage = (message) => {
    const known = signatures.get(String(message)) ?? sign(message)
    signatures.set(String(message), known)
    return known
  }
  return person
}

const sealed = new Map<string, ReturnType<typeof seal>>()

/** The `serial`-th envelope from one person to others; the same in every run. */
export function sealedOnce(from: Person, to: Person[], serial: number): ReturnType<typeof seal> {
  const key = [from, ...to].map(({ wallet }) => wallet).join(' ') + serial
  const known = sealed.get(key) ?? seal(from, to, { created: START, text: `envelope ${serial}` })
  sealed.set(key, known)
  return known
}

const proofs = new Map<string, ReturnType<VerifyWallet>>()

/** The real check of wallet signatures, made once for each. */
export const verifyWalletOnce: VerifyWallet = (input) => {
  const key = `${input.wallet} ${input.signature} ${input.message}`
  const known = proofs.get(key) ?? verifyWalletSignature(input)
  proofs.set(key, known)
  return known
}

const verdicts = new Map<string, { message: Uint8Array; publicKey: Uint8Array; valid: boolean }>()

/** The real check of device signatures on the calling thread, made once for each. */
export const verifyOnce: VerifyEd25519 = (signature, message, publicKey) => {
  const key = toHex(signature)
  const known = verdicts.get(key)
  if (known && equalBytes(known.message, message) && equalBytes(known.publicKey, publicKey))
    return known.valid
  const x = Buffer.from(publicKey).toString('base64url')
  const valid = verify(null, message, { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }, signature)
  verdicts.set(key, { message: Uint8Array.from(message), publicKey: Uint8Array.from(publicKey), valid })
  return valid
}

const fixed = new Map<string, Uint8Array>()

/** Randomness of one gateway: bytes by the name of what is being done, fractions by the run's seed. */
export function namedRandom(fraction: () => number): Random & { name(purpose: string): void } {
  let purpose = ''
  let count = 0
  return {
    name(next) {
      purpose = next
      count = 0
    },
    bytes(length) {
      const key = `${purpose} ${count++} ${length}`
      const known = fixed.get(key) ?? Uint8Array.from(randomBytes(length))
      fixed.set(key, known)
      return known
    },
    fraction,
  }
}

let certificates: Promise<Map<Person, Uint8Array>> | null = null

/** The person's certificate of a gateway that is not part of any run: senders need no gateway of theirs to be believed. */
export async function certificateFromElsewhere(person: Person): Promise<Uint8Array> {
  certificates ??= certifyAll()
  return (await certificates).get(person)!
}

async function certifyAll(): Promise<Map<Person, Uint8Array>> {
  const bench = new RelayBench()
  try {
    const clock = { ...systemClock, now: () => START }
    const gateway = await bench.gateway({ name: 'elsewhere', networks: {}, wallets: [], parts: { clock } })
    const own = new Map<Person, Uint8Array>()
    for (const person of PEOPLE) {
      const before = person.certificate
      await gateway.signIn(person)
      own.set(person, person.certificate!)
      person.certificate = before
    }
    return own
  } finally {
    await bench.close()
  }
}
