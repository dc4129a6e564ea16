/** The signatures by which the service knows who did what. SANDBOX. */
import { createHash } from 'node:crypto'
import { verifyMessage, verifyTypedData } from 'ethers/hash'
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

/** Contracts that stand in the signed data of notifications, as the SDK's environments have them: `prod`, and the ones of Sepolia. */
const communicators: Record<number, readonly string[]> = {
  1: ['0xb3971bcef2d791bc4027bbfedfb47319a4aaaaaa'],
  11155111: ['0x0c34d54a09cfe75bccd878a469206ae77e0fe6e7', '0x9ddcd7ed7151afab43044e4d694fa064742c428c'],
}

/**
 * `eip712v2:<signature>::uid::<UUID>`: the channel signed the identity of a notification, with the chain of its CAIP address and
 * the contract there.
 */
export function isChannelProof(
  proof: string,
  { identity, sender }: { identity: string; sender: string },
): boolean {
  const signature = /^eip712v2:(0x[0-9a-f]{130})::uid::[0-9a-f-]{36}$/i.exec(proof)?.[1]
  const chainId = Number(/^eip155:(\d+):/.exec(sender)?.[1])
  const did = canonicalDid(sender)
  if (!signature || did === null) return false
  return (communicators[chainId] ?? []).some((verifyingContract) => {
    const domain = { name: 'EPNS COMM V1', chainId, verifyingContract }
    const types = { Data: [{ name: 'data', type: 'string' }] }
    try {
      return verifyTypedData(domain, types, { data: identity }, signature) === addressOfDid(did)
    } catch {
      return false // no point of the curve
    }
  })
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // the caller's schema says what is missing
  }
}
