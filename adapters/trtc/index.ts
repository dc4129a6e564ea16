/** Tencent RTC Chat (TRTC), the fast transport. */
import { defineAdapter } from '../../src/adapter/index.ts'
import { createTrtcAdapter } from './adapter.ts'
import { MAX_FRAME_BYTES } from './carriage.ts'
import { configSchema } from './config.ts'

export default defineAdapter({
  manifest: {
    network: 'trtc',
    title: 'Tencent RTC Chat',
    specVersion: 1,
    limits: { maxFrameBytes: MAX_FRAME_BYTES },
    // History, from which a message may come once more, is kept for seven days by every edition.
    redeliveryWindowMs: 7 * 86_400_000,
    ordering: 'conversation',
    federates: false,
    carriesTransactionId: true,
    notifiesDevices: true,
    environment: [
      {
        name: 'TRTC_SDK_APP_ID',
        path: 'sdkAppId',
        description: 'SDKAppID of the Tencent Chat app',
        secret: false,
      },
      {
        name: 'TRTC_SECRET_KEY',
        path: 'secretKey',
        description: 'SecretKey of the Tencent Chat app',
        secret: true,
      },
      {
        name: 'TRTC_WEBHOOK_TOKEN',
        path: 'webhookToken',
        description: 'Authentication token of the webhooks, as in the console',
        secret: true,
      },
      {
        name: 'TRTC_WEBHOOK_SECRET',
        path: 'webhookSecret',
        description: 'Last part of the webhook URL',
        secret: true,
      },
    ],
  },
  config: configSchema,
  create: createTrtcAdapter,
})
