import simulator, {
  createSimulatedNetwork,
  type SimulatedNetworkOptions,
  simulatorAddress,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { type ContractHarness, randomHex } from '../../src/adapter/testing/index.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A fresh simulated network with a native client for each of two wallets. */
export async function simulatorHarness(options: SimulatedNetworkOptions = {}): Promise<ContractHarness> {
  const name = randomHex(8)
  const network = createSimulatedNetwork({ ...options, name })
  const natives = new Map<string, { text: string; remoteId: string }[]>()
  const received = new Map<string, Uint8Array[]>()
  const wallets = [1, 2].map(() => {
    const wallet = `eip155:*:0x${randomHex(20)}`
    const address = simulatorAddress(wallet)
    const frames: Uint8Array[] = []
    received.set(address, frames)
    network.attachClient(address, (frame) => frames.push(frame))
    const texts: { text: string; remoteId: string }[] = []
    natives.set(address, texts)
    network.natives.register(wallet)
    network.natives.join({
      id: `own ${address}`,
      address,
      receive: async ({ content, remoteId }) =>
        void texts.push({ text: decoder.decode(content.bytes), remoteId }),
    })
    return { wallet, address }
  })
  return {
    definition: simulator,
    config: { network: name },
    wallets,
    network: {
      inject: async (frame, { from, to }) => network.inject({ frame, from, to }),
      received: async (address) => received.get(address) ?? [],
      outage: (on) => network.faults.outage(on),
      ...(options.history === false ? {} : { redeliver: async (remoteId) => network.redeliver(remoteId) }),
    },
    enrolment: {
      account: ({ wallet }) => ({
        kind: 'evm-account',
        address: wallet.slice(wallet.lastIndexOf(':') + 1),
        chainId: 1,
      }),
      sign: async ({ wallet }, text) => ({ signature: simulatorSignature(wallet, text) }),
      async write({ from, to }, text) {
        const { id } = network.natives.direct(from.address, to.address)
        const content = {
          type: 'xmtp.org/text:1.0',
          parameters: {},
          fallback: null,
          bytes: encoder.encode(text),
        }
        return network.natives.post({ address: from.address, client: `own ${from.address}` }, id, { content })
          .remoteId
      },
      received: async ({ address }) => natives.get(address) ?? [],
    },
    mirroring: {
      registration: async ({ address }) => ({ topics: [address] }),
      write: async ({ to }, texts) =>
        texts.map((text) => network.topics.post(to.address, encoder.encode(text)).bytes),
    },
    teardown: async () => network.close(),
  }
}
