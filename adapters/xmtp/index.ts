/** XMTP: end-to-end encrypted messages between inboxes. */
import { defineAdapter } from '../../src/adapter/index.ts'
import { createXmtpAdapter } from './adapter.ts'
import { MAX_FRAME_BYTES } from './carriage.ts'
import { configSchema } from './config.ts'

export default defineAdapter({
  manifest: {
    network: 'xmtp',
    title: 'XMTP',
    specVersion: 1,
    limits: { maxFrameBytes: MAX_FRAME_BYTES },
    // A walk repeats what it read before, and a stream taken up again may repeat what it emitted.
    redeliveryWindowMs: 7 * 86_400_000,
    ordering: 'conversation',
    // One network, but a gateway hears its own inbox alone: a wallet's inbox is read by the wallet.
    federates: false,
    carriesTransactionId: true,
    keepsIdentity: true,
    environment: [
      {
        name: 'XMTP_ENVIRONMENT',
        path: 'environment',
        description: 'Network of XMTP: production, dev or local',
        secret: false,
      },
      {
        name: 'XMTP_API_URL',
        path: 'apiUrl',
        description: 'Address of an XMTP node of your own',
        secret: false,
      },
      {
        name: 'XMTP_WALLET_KEY',
        path: 'walletKey',
        description: 'Private key of the wallet whose inbox the gateway is',
        secret: true,
      },
      {
        name: 'XMTP_DATABASE_KEY',
        path: 'databaseKey',
        description: 'Key of the local XMTP database',
        secret: true,
      },
    ],
  },
  config: configSchema,
  create: (config, context) => createXmtpAdapter(config, context),
})
