/** Push Protocol: chats of wallets, by way of the gateway's own account. */
import { defineAdapter } from '../../src/adapter/index.ts'
import { createPushAdapter } from './adapter.ts'
import { MAX_FRAME_BYTES } from './carriage.ts'
import { configSchema } from './config.ts'

export default defineAdapter({
  manifest: {
    network: 'push',
    title: 'Push Protocol',
    specVersion: 1,
    limits: { maxFrameBytes: MAX_FRAME_BYTES },
    // Chains of messages are kept; a walk from an old cursor may give a message again for as long as that.
    redeliveryWindowMs: 30 * 86_400_000,
    // The service links messages in order, but the SDK's own stream shows them as their decryption ends.
    ordering: 'none',
    federates: false,
    carriesTransactionId: false,
    environment: [
      {
        name: 'PUSH_WALLET_KEY',
        path: 'walletKey',
        description: 'Private key of the wallet that is the gateway’s account on Push',
        secret: true,
      },
      {
        name: 'PUSH_CHANNEL_ADDRESS',
        path: 'channel.address',
        description: 'Address of the gateway’s own channel, for wake-ups',
        secret: false,
      },
      {
        name: 'PUSH_CHANNEL_KEY',
        path: 'channel.key',
        description: 'Private key of that channel, or of an account that it has delegated to',
        secret: true,
      },
      {
        name: 'PUSH_ENVIRONMENT',
        path: 'environment',
        description: 'prod, staging or dev',
        secret: false,
      },
    ],
  },
  config: configSchema,
  create: createPushAdapter,
})
