/** What a wallet gives so that its Push chats are mirrored. No key is in it: the service shows ciphertext to whoever asks. */
import { z } from 'zod'
import { canonicalDid, didOfWallet, isDid } from '../did.ts'

const MOST_CHATS = 50_000
const id = z.string().min(1).max(200)

export const registrationSchema = z.strictObject({
  /** The wallet's own DID, `eip155:0x<checksummed address>`. */
  account: z.string().refine(isDid, 'must be eip155: and a checksummed address'),
  /** The chats to mirror. Absent: all of them, also those that begin later. */
  chats: z
    .array(
      z.strictObject({
        /** DID of the other side, or the id of a group. */
        id: id.transform((text) => canonicalDid(text) ?? text),
        /** cid of the newest message that the wallet's software has. Absent: what comes from now on is mirrored. */
        cursor: id.optional(),
      }),
    )
    .min(1)
    .max(MOST_CHATS)
    .optional(),
})

export type Registration = z.output<typeof registrationSchema>

/** Ids of the chats that are mirrored; null for all. */
export function scopeOf({ chats }: Registration): ReadonlySet<string> | null {
  return chats ? new Set(chats.map((chat) => chat.id)) : null
}

/** The account is the wallet's own when its address is: whoever signed in with the wallet is whom Push takes signatures from. */
export function objectionTo(wallet: string, { account }: Registration): string | null {
  const own = didOfWallet(wallet)
  if (own === null) return 'account: only wallets with a private key of Ethereum have an account on Push here'
  return own === account ? null : 'account: is not the account of this wallet'
}
