import { expect, it } from 'vitest'
import { directConversation, type EnvelopeHeader } from '../envelope/index.ts'
import { createPerson, sealText } from '../envelope/testing/fixtures.ts'
import { createOpener } from './opening.ts'
import { nothingSeen } from './seen.ts'

const NOW = 1_770_000_000_000
const [alice, bob, mallory] = await Promise.all([createPerson(), createPerson(), createPerson()])

/** Bob's opener. It must have refused before it asks for anyone's keys. */
const opener = createOpener({
  wallet: bob.wallet,
  openingKeys: () => [bob.openingKey],
  directory: { peer: () => Promise.reject(new Error('asked for keys')) },
  seen: nothingSeen,
  trustedDomains: () => [],
  now: () => NOW,
})

async function open(change: Partial<EnvelopeHeader>): Promise<unknown> {
  const { bytes } = await sealText(mallory, bob, 'hello', change)
  return opener.sealed(bytes, { via: 'waku', cursor: null, certificate: null, receivedAt: NOW })
}

it('refuses a message that claims to belong to a conversation of others', async () => {
  const conversation = directConversation(alice.wallet, bob.wallet)
  await expect(open({ conversation })).rejects.toMatchObject({ code: 'conversation-mismatch' })
  await expect(open({})).rejects.toThrow('asked for keys')
})

it('refuses a message for somebody else', async () => {
  const change = { to: [alice.wallet], conversation: directConversation(mallory.wallet, alice.wallet) }
  await expect(open(change)).rejects.toMatchObject({ code: 'message-not-ours' })
})
