import simulator, {
  createSimulatedNetwork,
  type SimulatedNetworkOptions,
  simulatorAddress,
} from '../../adapters/simulator/index.ts'
import { type ContractHarness, randomHex } from '../../src/adapter/testing/index.ts'

/** A fresh simulated network with a native client for each of two wallets. */
export async function simulatorHarness(options: SimulatedNetworkOptions = {}): Promise<ContractHarness> {
  const name = randomHex(8)
  const network = createSimulatedNetwork({ ...options, name })
  const received = new Map<string, Uint8Array[]>()
  const wallets = [1, 2].map(() => {
    const wallet = `eip155:*:0x${randomHex(20)}`
    const address = simulatorAddress(wallet)
    const frames: Uint8Array[] = []
    received.set(address, frames)
    network.attachClient(address, (frame) => frames.push(frame))
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
    teardown: async () => network.close(),
  }
}
