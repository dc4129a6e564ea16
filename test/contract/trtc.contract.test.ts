import { Wallet } from 'ethers/wallet'
import { userIdOf } from '../../adapters/trtc/accounts.ts'
import definition from '../../adapters/trtc/index.ts'
import { connectChatClient } from '../../adapters/trtc/sandbox/chat-client.ts'
import { startSandbox } from '../../adapters/trtc/sandbox/index.ts'
import { type ContractHarness, describeAdapterContract } from '../../src/adapter/testing/index.ts'

/** The sandbox with two real SDK clients, each in a process of its own. */
async function setup(): Promise<ContractHarness> {
  const sandbox = await startSandbox()
  const attach = async (wallet: string) => {
    const userId = userIdOf(wallet)
    const client = await connectChatClient({
      sdkAppId: sandbox.app.sdkAppId,
      userId,
      userSig: sandbox.userSig(userId),
      proxyServer: sandbox.addresses.socket!,
    })
    return { wallet, address: userId, client }
  }
  const signers = [new Wallet(`0x${'a1'.repeat(32)}`), new Wallet(`0x${'b2'.repeat(32)}`)]
  const keyOf = ({ address }: Wallet) => `eip155:*:${address.toLowerCase()}`
  const wallets = await Promise.all(signers.map((signer) => attach(keyOf(signer))))
  const clientAt = (address: string) => {
    const found = wallets.find((wallet) => wallet.address === address)
    if (!found) throw new Error('no client is attached at this address')
    return found.client
  }
  const signerOf = (wallet: string) => {
    const found = signers.find((signer) => keyOf(signer) === wallet)
    if (!found) throw new Error('no such wallet')
    return found
  }
  return {
    definition,
    config: sandbox.gatewayConfig,
    wallets: wallets.map(({ wallet, address }) => ({ wallet, address })),
    network: {
      inject: async (frame, { from, to }) => (await clientAt(from).sendFrame(to, frame)).messageKey,
      received: async (address) => clientAt(address).messages.flatMap(({ frame }) => (frame ? [frame] : [])),
      outage: (on) => sandbox.faults.gatewayOutage(on),
      redeliver: (remoteId) => sandbox.redeliver(remoteId),
    },
    enrolment: {
      account: ({ wallet }) => ({ kind: 'evm-account', address: signerOf(wallet).address, chainId: 1 }),
      sign: async ({ wallet }, text) => ({ signature: await signerOf(wallet).signMessage(text) }),
      write: async ({ from, to }, text) =>
        (await clientAt(from.address).sendText(to.address, text)).messageKey,
      received: async ({ address }) =>
        clientAt(address).messages.flatMap(({ text, messageKey: remoteId }) =>
          text === null ? [] : [{ text, remoteId }],
        ),
    },
    connectGateway: (gateway) => sandbox.connectGateway(gateway),
    async teardown() {
      await Promise.all(wallets.map(({ client }) => client.close()))
      await sandbox.stop()
    },
  }
}

describeAdapterContract({ name: 'trtc', setup })
