/** Plain SDK clients, which know nothing of Causeway. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IdentifierKind, LogLevel } from '@xmtp/node-bindings'
import { Client, type ClientOptions, type Signer } from '@xmtp/node-sdk'
import { Wallet } from 'ethers'

type Plain = Client<unknown>

const identifierOf = (address: string) => ({
  identifier: address.toLowerCase(),
  identifierKind: 0 as IdentifierKind,
})

export const newWallet = () => new Wallet(Wallet.createRandom().privateKey)

export function walletSigner(wallet: Wallet): Signer {
  return {
    type: 'EOA',
    getIdentifier: () => identifierOf(wallet.address),
    signMessage: async (text) => Buffer.from((await wallet.signMessage(text)).slice(2), 'hex'),
  }
}

/** A smart account on chain 1, whose signatures are whatever `signMessage` gives. */
export function contractSigner(address: string, signMessage: (text: string) => Uint8Array): Signer {
  return { type: 'SCW', getIdentifier: () => identifierOf(address), signMessage, getChainId: () => 1n }
}

/** Clients and folders that are put away together. */
export function clientPool() {
  const closing: (() => Promise<void> | void)[] = []
  return {
    async client(
      apiUrl: string,
      signer: Signer = walletSigner(newWallet()),
      options: Partial<ClientOptions> = {},
    ): Promise<Plain> {
      const client = (await Client.create(signer, {
        env: 'local',
        apiUrl,
        dbPath: null,
        disableDeviceSync: true,
        loggingLevel: 'Off' as LogLevel,
        ...options,
      })) as Plain
      closing.push(() => client.close())
      return client
    },
    folder(): string {
      const folder = mkdtempSync(join(tmpdir(), 'xmtp-sandbox-test-'))
      closing.push(() => rmSync(folder, { recursive: true, force: true }))
      return folder
    },
    later(close: () => Promise<void> | void): void {
      closing.push(close)
    },
    async close(): Promise<void> {
      for (const close of closing.reverse()) await close()
    },
  }
}

/** Texts of a conversation as its owner's database has them, oldest first. */
export async function textsOf(client: Plain, conversationId: string): Promise<string[]> {
  const conversation = await client.conversations.getConversationById(conversationId)
  const messages = (await conversation?.messages()) ?? []
  return messages.flatMap(({ content }) => (typeof content === 'string' ? [content] : []))
}

/** Texts that a client hears live from others. A sync before the stream would swallow what it brings, so there is none. */
export async function hear(client: Plain): Promise<{ texts: string[]; end(): Promise<unknown> }> {
  const texts: string[] = []
  const stream = await client.conversations.streamAllMessages({
    disableSync: true,
    retryAttempts: 1_000_000,
    retryDelay: 100,
    onValue({ content, senderInboxId }) {
      if (typeof content === 'string' && senderInboxId !== client.inboxId) texts.push(content)
    },
  })
  return { texts, end: () => stream.end() }
}
