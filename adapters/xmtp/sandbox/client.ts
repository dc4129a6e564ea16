/** A wallet's own XMTP client, made with the unmodified SDK, that carries frames as the content type `causeway/envelope:1.0`. SANDBOX. */

import { join } from 'node:path'
import type { IdentifierKind, LogLevel } from '@xmtp/node-bindings'
import { Client, type ClientOptions, type DecodedMessage, type Dm, type XmtpEnv } from '@xmtp/node-sdk'
import type { NetworkClient, NetworkClientInput, WalletSigner } from '../../../src/adapter/index.ts'
import { type EnvelopeContent, envelopeCodec, isEnvelope } from '../codec.ts'

/** The SDK's enums exist in its types alone; these are their values. */
const ETHEREUM = 0 as IdentifierKind
const LOG_OFF = 'Off' as LogLevel

type Codec = NonNullable<ClientOptions['codecs']>[number]

/** The stream is taken up again at once and for as long as the client lives. */
const STREAM_RETRY_MS = 250
const STREAM_RETRIES = 1_000_000

export interface XmtpNetworkClient extends NetworkClient {
  /** Inbox id of the wallet. */
  address: string
  /** The SDK's client, for what frames do not cover. */
  client: Client<unknown>
}

/**
 * Registers the wallet, or takes its registration up again, and listens. `send` goes to an inbox id: that of a wallet, or
 * `gatewayAddress` for what the gateway shall relay.
 */
export async function connectClient(input: NetworkClientInput): Promise<XmtpNetworkClient> {
  const { apiUrl, environment, gatewayInboxId } = input.description
  if (typeof apiUrl !== 'string' || !input.signer) {
    throw new TypeError('an XMTP client needs the apiUrl of the description, and the wallet as signer')
  }
  const client = await Client.create(await signerOf(input.signer), {
    env: (environment ?? 'local') as XmtpEnv,
    apiUrl,
    dbPath: input.directory === undefined ? null : join(input.directory, 'client.db3'),
    disableDeviceSync: true,
    loggingLevel: LOG_OFF,
    codecs: [envelopeCodec as Codec],
  })
  if (input.address !== '' && input.address !== client.inboxId) {
    await client.close()
    throw new TypeError('the address is not the inbox id of the wallet')
  }
  const network = await listening(client as Client<unknown>)
  return typeof gatewayInboxId === 'string' ? { ...network, gatewayAddress: gatewayInboxId } : network
}

async function listening(client: Client<unknown>): Promise<XmtpNetworkClient> {
  const frames: [frame: Uint8Array, from: string][] = []
  const listeners = new Set<(frame: Uint8Array, from: string | null) => void>()
  const seen = new Set<string>()
  const conversations = new Map<string, Promise<Dm<unknown>>>()
  const stream = await client.conversations.streamAllMessages({
    // What a sync before the stream brings would not be heard.
    disableSync: true,
    retryAttempts: STREAM_RETRIES,
    retryDelay: STREAM_RETRY_MS,
    onValue: (message) => take(message),
  })

  function take(message: DecodedMessage<unknown>): void {
    if (!isEnvelope(message.contentType) || message.senderInboxId === client.inboxId) return
    if (seen.has(message.id)) return
    seen.add(message.id)
    const { frame } = message.content as EnvelopeContent
    frames.push([frame, message.senderInboxId])
    for (const listener of listeners) listener(frame, message.senderInboxId)
  }

  return {
    address: client.inboxId,
    client,
    async send(inboxId, frame) {
      const dm = conversations.get(inboxId) ?? client.conversations.createDm(inboxId)
      conversations.set(inboxId, dm)
      dm.catch(() => conversations.delete(inboxId))
      return (await dm).send(envelopeCodec.encode({ frame }), { shouldPush: true })
    },
    onFrame(listener) {
      for (const [frame, from] of frames) listener(frame, from)
      listeners.add(listener)
    },
    async close() {
      await stream.end()
      await client.close()
    },
  }
}

async function signerOf(wallet: WalletSigner) {
  const identifier = (await wallet.getAddress()).toLowerCase()
  return {
    type: 'EOA' as const,
    getIdentifier: () => ({ identifier, identifierKind: ETHEREUM }),
    signMessage: async (text: string) => Buffer.from((await wallet.signMessage(text)).slice(2), 'hex'),
  }
}
