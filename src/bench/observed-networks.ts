/** Notes when frames cross the border between an adapter and the relay, without a change to either. */
import type { AdapterDefinition } from '../adapter/index.ts'
import { decodeFrame, EnvelopeError, toHex } from '../envelope/index.ts'

/** `heard`: the adapter handed a frame in. `sending`, `sent`: the relay called its `send`, and the network's answer came. */
export interface Crossing {
  what: 'heard' | 'sending' | 'sent'
  network: string
  /** Envelope id, hex. */
  id: string
  /** Milliseconds of the system's monotonic clock, the same in all processes. */
  at: number
}

/** Milliseconds of the system's monotonic clock. */
export function monotonicNow(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

export function observeNetworks(definition: AdapterDefinition, crossings: Crossing[]): AdapterDefinition {
  const { network } = definition.manifest
  return {
    ...definition,
    create(config, context) {
      const adapter = definition.create(config, {
        ...context,
        deliver(inbound) {
          const at = monotonicNow()
          const id = idOf(inbound.frame)
          if (id !== null) crossings.push({ what: 'heard', network, id, at })
          return context.deliver(inbound)
        },
      })
      const send = adapter.send.bind(adapter)
      adapter.send = async (intent, signal) => {
        const id = toHex(intent.envelopeId)
        crossings.push({ what: 'sending', network, id, at: monotonicNow() })
        const receipt = await send(intent, signal)
        crossings.push({ what: 'sent', network, id, at: monotonicNow() })
        return receipt
      }
      return adapter
    },
  }
}

/** Null for what is no frame, which the relay refuses: anyone may write to the gateway. */
function idOf(frame: Uint8Array): string | null {
  try {
    return toHex(decodeFrame(frame).id)
  } catch (error) {
    if (error instanceof EnvelopeError) return null
    throw error
  }
}
