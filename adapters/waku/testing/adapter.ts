/** Adapters for tests. */
import { randomBytes } from 'node:crypto'
import type { Adapter, SendIntent } from '../../../src/adapter/index.ts'
import { createRecordingContext, type RecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { contentTopicOf } from '../carriage.ts'
import definition from '../index.ts'

export const neverAborted = new AbortController().signal

export interface TestAdapter {
  adapter: Adapter
  context: RecordingContext
  stop(): Promise<void>
}

/** Starts an adapter and waits until it is connected. */
export async function startAdapter(config: Record<string, unknown>): Promise<TestAdapter> {
  const context = createRecordingContext()
  const adapter = definition.create(definition.config.parse(config), context)
  await adapter.start(neverAborted)
  await waitFor(() => context.lastState() === 'connected', { what: `connected, was ${context.lastState()}` })
  return {
    adapter,
    context,
    async stop() {
      await adapter.stop(neverAborted)
      await context.dispose()
    },
  }
}

export function testIntent(change: Partial<SendIntent> = {}): SendIntent {
  const wallet = `eip155:*:0x${'c'.repeat(40)}`
  return {
    transactionId: randomBytes(16).toString('hex'),
    envelopeId: Uint8Array.from(randomBytes(32)),
    frame: Uint8Array.from(randomBytes(200)),
    to: { wallet, address: contentTopicOf(wallet, 64) },
    from: { wallet, address: null },
    conversation: Uint8Array.from(randomBytes(32)),
    ephemeral: false,
    silent: false,
    attempt: 1,
    ...change,
  }
}
