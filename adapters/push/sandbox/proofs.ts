/** The signatures by which the service knows who did what. SANDBOX. */
import { createHash } from 'node:crypto'
import { verifyMessage } from 'ethers/hash'
import * as openpgp from 'openpgp'
import { z } from 'zod'
import { addressOfDid, canonicalDid } from '../did.ts'

/** Clocks of clients may run ahead of ours; the SDK allows the same. */
const CLOCK_SKEW_MS = 86_400_000

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** The armored key of a profile's `publicKey`, which is `{"key": …, "signature": …}` or, in old profiles, the key itself. */
export function armoredKeyOf(publicKey: string): string {
  const parsed = z.object({ key: z.string() }).safeParse(parseJson(publicKey))
  return parsed.success ? parsed.data.key : publicKey
}

export interface ProfileClaim {
  caip10: string
  did: string
  publicKey: string
  encryptedPrivateKey: string
}

/** `eip191v2:` proof: the wallet signed the hash of its profile's keys. */
export function isProfileProof(claim: ProfileClaim, proof: string): boolean {
  const [type, signature] = proof.split(':')
  const did = canonicalDid(claim.did)
  if (type !== 'eip191v2' || signature === undefined || did === null) return false
  const { caip10, publicKey, encryptedPrivateKey } = claim
  const hash = sha256(JSON.stringify({ caip10, did: claim.did, publicKey, encryptedPrivateKey }))
  try {
    return verifyMessage(hash, signature) === addressOfDid(did)
  } catch {
    return false // not a signature at all
  }
}

/** A proof of the form `<type>:<armored signature>[:<DID>]` over the hash of `body` as JSON. */
export async function isPgpProof(
  proof: unknown,
  types: readonly string[],
  body: unknown,
  publicKey: string,
): Promise<boolean> {
  const [type, signature] = String(proof ?? '').split(':')
  if (!types.includes(type ?? '') || !signature || !publicKey) return false
  try {
    const result = await openpgp.verify({
      message: await openpgp.createMessage({ text: sha256(JSON.stringify(body)) }),
      signature: await openpgp.readSignature({ armoredSignature: signature }),
      verificationKeys: await openpgp.readKey({ armoredKey: armoredKeyOf(publicKey) }),
      date: new Date(Date.now() + CLOCK_SKEW_MS),
    })
    return (await result.signatures[0]?.verified) === true
  } catch {
    return false // another key's signature, or none
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // the caller's schema says what is missing
  }
}
