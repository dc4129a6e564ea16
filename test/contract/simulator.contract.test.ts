import { describeAdapterContract } from '../../src/adapter/testing/index.ts'
import { simulatorHarness } from './simulator-harness.ts'

describeAdapterContract({ name: 'simulator', setup: () => simulatorHarness() })

describeAdapterContract({
  name: 'simulator, slow and reordering',
  setup: () => simulatorHarness({ latencyMs: 20, reordering: 0.3, maxFrameBytes: 4096 }),
})

describeAdapterContract({
  name: 'simulator without history, echo and idempotent sends',
  setup: () => simulatorHarness({ history: false, echo: false, idempotentSend: false }),
})
