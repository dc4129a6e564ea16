/** Which wallet stands behind an inbox. */
import type { IdentifierKind } from '@xmtp/node-bindings'
import { LRUCache } from 'lru-cache'
import type { NativeParty } from '../../../src/adapter/index.ts'
import type { XmtpInbox } from '../inbox.ts'
import { inboxIdOf } from '../wallet.ts'

/** Value of the SDK's enum, which exists in its types alone. */
const ETHEREUM = 0 as IdentifierKind

/** Inboxes whose wallets are kept in mind. */
const REMEMBERED = 10_000

/**
 * An inbox keeps the wallet that made it for life, since the inbox id follows from it; so a wallet that was found once is
 * not looked up again. The network does not say whether an address is a contract's: each is taken for one account on all
 * chains.
 */
export class People {
  readonly #wallets = new LRUCache<string, string>({ max: REMEMBERED })

  /** `wallet` is null for an inbox without an EVM address (passkeys). Asks the inbox's database, and the network if need be. */
  async party(inbox: XmtpInbox, inboxId: string): Promise<NativeParty> {
    const wallet = this.#wallets.get(inboxId) ?? (await walletOf(inbox, inboxId))
    if (wallet !== null) this.#wallets.set(inboxId, wallet)
    return { wallet, address: inboxId }
  }
}

async function walletOf(inbox: XmtpInbox, inboxId: string): Promise<string | null> {
  const states = await inbox.client.preferences.getInboxStates([inboxId])
  const state = states.find((candidate) => candidate.inboxId === inboxId)
  const addresses = [...(state?.identifiers ?? []), ...(state ? [state.recoveryIdentifier] : [])]
    .filter(({ identifierKind }) => identifierKind === ETHEREUM)
    .map(({ identifier }) => identifier.toLowerCase())
  const address = addresses.find((candidate) => inboxIdOf(candidate) === inboxId) ?? addresses[0]
  return address === undefined ? null : `eip155:*:${address}`
}
