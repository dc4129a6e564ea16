/** People who have a network's plain application and know nothing of gateways. */
import { isText } from '@xmtp/node-sdk'
import { Wallet } from 'ethers'
import { connectPushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { connectChatClient } from '../../adapters/trtc/sandbox/chat-client.ts'
import { connectClient as connectXmtp } from '../../adapters/xmtp/sandbox/client.ts'
import type { Participant } from '../../src/cli/demo.ts'
import { addressOn } from '../../src/cli/demo.ts'
import type { Network } from './cells.ts'
import type { World } from './world.ts'

/** Networks that have clients of their own. */
export const WITH_NATIVE_CLIENTS = ['xmtp', 'push', 'trtc'] as const satisfies readonly Network[]
export type NativeNetwork = (typeof WITH_NATIVE_CLIENTS)[number]

export interface PlainUser {
  /** walletKey */
  wallet: string
  /** Writes an ordinary text to the wallet's own account on the network. */
  write(text: string): Promise<void>
  /** Texts that came, with the time of the SDK's event (`performance.now()`). */
  heard: Map<string, number[]>
  close(): Promise<void>
}

/** A plain user on the network, who writes to `to`. */
export async function createPlainUser(
  network: NativeNetwork,
  world: World,
  to: Participant,
): Promise<PlainUser> {
  const address = await addressOn(network, to.client)
  const heard = new Map<string, number[]>()
  const hear = (text: unknown) => {
    if (typeof text === 'string') heard.set(text, [...(heard.get(text) ?? []), performance.now()])
  }
  if (network === 'trtc') {
    // An account of the app, as everybody who signs in has; its gateway client is used for nothing else.
    const { client } = await world.participant('a plain TRTC user')
    const { sdkAppId, userId, userSig, proxyServer } = await client.credentials('trtc')
    const chat = await connectChatClient({
      sdkAppId: Number(sdkAppId),
      userId: String(userId),
      userSig: String(userSig),
      proxyServer: String(proxyServer),
    })
    chat.onMessage(({ payload }) => hear((payload as { text?: unknown } | null)?.text))
    return {
      wallet: client.wallet,
      write: async (text) => void (await chat.sendText(address, text)),
      heard,
      close: () => chat.close(),
    }
  }
  const signer = Wallet.createRandom()
  const wallet = `eip155:*:${signer.address.toLowerCase()}`
  const description = world.gateway.gateway.networks
    .list()
    .find((one) => one.network === network)?.description
  if (network === 'push') {
    const user = await connectPushUser({ baseUrl: String(description?.url), signer })
    user.onMessage(({ content }) => hear(content))
    return {
      wallet,
      write: async (text) => void (await user.sendText(address, text)),
      heard,
      close: () => user.close(),
    }
  }
  const { client, close } = await connectXmtp({
    ...{ address: '', description: description ?? {}, credentials: null, signer },
  })
  const stream = await client.conversations.streamAllMessages({
    disableSync: true,
    onValue: (message) => {
      if (message.senderInboxId !== client.inboxId && isText(message)) hear(message.content)
    },
  })
  return {
    wallet,
    write: async (text) => void (await (await client.conversations.createDm(address)).sendText(text)),
    heard,
    async close() {
      await stream.end()
      await close()
    },
  }
}
