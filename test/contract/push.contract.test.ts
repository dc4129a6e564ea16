/** The adapter contract over Push: the sandbox, and two users of the unmodified SDK. */
import { Wallet } from 'ethers'
import { encodeText } from '../../adapters/push/carriage.ts'
import definition from '../../adapters/push/index.ts'
import { startSandbox } from '../../adapters/push/sandbox/index.ts'
import { connectPushUser, type PushUser } from '../../adapters/push/sandbox/sdk-user.ts'
import { framesOf } from '../../adapters/push/testing.ts'
import { startCuttableProxy } from '../../adapters/waku/testing/cuttable-proxy.ts'
import {
  type ContractHarness,
  createRecordingContext,
  describeAdapterContract,
} from '../../src/adapter/testing/index.ts'

async function setup(): Promise<ContractHarness> {
  const sandbox = await startSandbox()
  const baseUrl = sandbox.addresses.rest ?? ''
  // Users reach the sandbox itself and the gateway goes through the proxy, which plays the outage.
  const proxy = await startCuttableProxy(Number(new URL(baseUrl).port))
  const config = {
    ...sandbox.gatewayConfig,
    url: `http://127.0.0.1:${proxy.port}/apis`,
    reconnectMaxMs: 1_000,
  }
  const gateway = await makeProfile(config)
  const attach = async () => {
    const signer = Wallet.createRandom()
    const user = await connectPushUser({ baseUrl, signer })
    return { wallet: `eip155:*:${signer.address.toLowerCase()}`, address: user.did, user, signer }
  }
  const wallets = await Promise.all([attach(), attach()])
  const at = (address: string) => {
    const found = wallets.find((one) => one.address === address)
    if (!found) throw new Error('no user has this address')
    return found
  }
  const userAt = (address: string) => at(address).user
  return {
    definition,
    config,
    wallets: wallets.map(({ wallet, address }) => ({ wallet, address })),
    heardAt: 'gateway',
    network: {
      // To the gateway, which hears nothing else, and to the recipient, so that the checks see it arrive without one.
      async inject(frame, { from, to }) {
        await userAt(from).sendText(to, encodeText(frame))
        return userAt(from).sendText(gateway, encodeText(frame))
      },
      received: async (address) => framesOf(userAt(address)),
      outage: async (on) => proxy.cut(on),
    },
    enrolment: {
      account: ({ address }) => ({
        kind: 'evm-account',
        address: address.slice('eip155:'.length),
        chainId: 1,
      }),
      async sign({ address }, text) {
        const { user, signer } = at(address)
        return { signature: await signer.signMessage(text), handover: await keyOf(user) }
      },
      write: ({ from, to }, text) => userAt(from.address).sendText(to.address, text),
      received: async ({ address }) =>
        userAt(address).messages.flatMap(({ content: text, cid: remoteId }) =>
          typeof text === 'string' ? [{ text, remoteId }] : [],
        ),
    },
    mirroring: {
      registration: async ({ address }) => ({ account: address }),
      async write({ from, to }, texts) {
        const carried: Uint8Array[] = []
        for (const text of texts) {
          const cid = await userAt(from.address).sendText(to.address, text)
          const answer = await fetch(`${baseUrl}/v1/chat/conversationhash/${cid}?fetchLimit=1`)
          carried.push(Uint8Array.from(Buffer.from(await answer.arrayBuffer()).subarray(1, -1)))
        }
        return carried
      },
    },
    async teardown() {
      await Promise.all(wallets.map(({ user }) => user.close()))
      await proxy.close()
      await sandbox.stop()
    },
  }
}

/** The PGP key that the user's SDK has unwrapped. */
async function keyOf(user: PushUser): Promise<Uint8Array> {
  const { decryptedPgpPrivateKey } = (await user.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  return new TextEncoder().encode(decryptedPgpPrivateKey)
}

/** Users encrypt to the gateway's key, so its profile has to be there before the first of them writes. Gives its DID. */
async function makeProfile(config: Record<string, unknown>): Promise<string> {
  const context = createRecordingContext()
  const adapter = definition.create(definition.config.parse(config), context)
  const { signal } = new AbortController()
  await adapter.start(signal)
  await adapter.stop(signal)
  return adapter.identity?.ownAddress() ?? ''
}

describeAdapterContract({ name: 'push', setup })
