/** The Waku network: relay nodes over libp2p, light clients, and nwaku. */
import { defineAdapter } from '../../src/adapter/index.ts'
import { WakuAdapter } from './adapter.ts'
import { MAX_FRAME_BYTES } from './carriage.ts'
import { configSchema } from './config.ts'

export default defineAdapter({
  manifest: {
    network: 'waku',
    title: 'Waku',
    specVersion: 1,
    limits: { maxFrameBytes: MAX_FRAME_BYTES },
    // Relay repeats within two minutes; archives give a message again for as long as they keep it (two days by default).
    redeliveryWindowMs: 3 * 24 * 3_600_000,
    ordering: 'none',
    federates: true,
    carriesTransactionId: false,
    environment: [],
  },
  config: configSchema,
  create: (config, context) => new WakuAdapter(config, context),
})
