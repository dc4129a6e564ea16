/** What a wallet agrees to and signs when it hands over its Push key, and the check of the signature. */
import { verifyMessage } from 'ethers/hash'
import type { EnrolmentTerms } from '../../../src/adapter/index.ts'
import { addressOfDid } from '../did.ts'
import { PushError } from '../errors.ts'

export const terms: EnrolmentTerms = {
  meaning:
    'The wallet hands its Push key over to the gateway. That key is full authority over this Push account: with it the gateway reads all of its chats, past ones as well, and its notifications, writes as the wallet, and may change its groups and its profile. The gateway keeps the key encrypted and destroys it when the enrolment ends. Push cannot take a key back: only making a new one for the account ends what somebody can do who has the old one.',
  handover: 'key',
  groups: true,
}

/** The exact text that the wallet signs. It names the enrolment, so that it serves for no other. */
export function textOf({ id, did, gateway }: { id: string; did: string; gateway: string }): string {
  return [
    'I hand over the key of my Push account to a gateway.',
    '',
    terms.meaning,
    '',
    `Account: ${did}`,
    `Gateway: ${gateway}`,
    `Enrolment: ${id}`,
  ].join('\n')
}

/** Throws `signature-invalid` unless the wallet signed the text (EIP-191). */
export function requireSignature(did: string, text: string, signature: string): void {
  let signer: string | null = null
  try {
    signer = verifyMessage(text, signature)
  } catch {
    signer = null // no signature at all
  }
  if (signer === addressOfDid(did)) return
  throw new PushError('signature-invalid', 'The signature is not the wallet’s over the text that was given')
}
