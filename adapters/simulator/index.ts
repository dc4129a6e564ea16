/** A network in memory, for tests, research and trying things out. See README.md. */
import { defineAdapter } from '../../src/adapter/index.ts'
import { createSimulatorAdapter } from './adapter.ts'
import { LARGEST_FRAME_BYTES, simulatorConfig } from './config.ts'

export { isSimulatorAddress, simulatorAddress } from './address.ts'
export { simulatorSignature } from './enrolment.ts'
export type { NativeDraft, NativeMessage, SimulatedConversation } from './natives.ts'
export {
  createSimulatedNetwork,
  type SimulatedMessage,
  type SimulatedNetwork,
  type SimulatedNetworkOptions,
} from './network.ts'

export default defineAdapter({
  manifest: {
    network: 'simulator',
    title: 'Simulated network',
    specVersion: 1,
    limits: { maxFrameBytes: LARGEST_FRAME_BYTES },
    // Doubled and held-back deliveries come within seconds; a gateway that turns a message away gets it until it leaves.
    redeliveryWindowMs: 3_600_000,
    // The reordering switch breaks any order.
    ordering: 'none',
    federates: true,
    carriesTransactionId: true,
    environment: [],
  },
  config: simulatorConfig,
  create: createSimulatorAdapter,
})
