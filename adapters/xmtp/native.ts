/** What libxmtp can do and the SDK does not offer. */
import type { Conversation, Conversations } from '@xmtp/node-bindings'
import type { Client } from '@xmtp/node-sdk'

/**
 * Adds the peer to a direct conversation that lacks it, as a `createDm` that failed half way leaves it behind. Nothing else may
 * sync the conversation meanwhile (`direct.ts`).
 */
export async function addPeerToDm(client: Client<unknown>, inboxId: string): Promise<void> {
  const bindings = await import('@xmtp/node-bindings')
  await nativeDm(bindings.Conversations.prototype, client, inboxId).addMembers([inboxId])
}

/** The SDK keeps libxmtp's conversation to itself, so it is caught on its way there. Nothing else runs meanwhile. */
function nativeDm(prototype: Conversations, client: Client<unknown>, inboxId: string): Conversation {
  const original = prototype.getDmByInboxId
  let found: Conversation | null = null
  prototype.getDmByInboxId = function (this: Conversations, id: string) {
    found = original.call(this, id)
    return found
  }
  try {
    client.conversations.getDmByInboxId(inboxId)
  } finally {
    prototype.getDmByInboxId = original
  }
  if (found === null) throw new Error('there is no conversation with this inbox')
  return found
}
