import { z } from 'zod'
import {
  type Adapter,
  type AdapterContext,
  type AdapterDefinition,
  AdapterError,
  type Capabilities,
  type HistoryFacet,
  type Inbound,
  type Receipt,
  type SendIntent,
} from '../../adapter/index.ts'

export interface Script {
  /** Answers a send; default: a new remote id. */
  send?(intent: SendIntent, signal: AbortSignal): Promise<Receipt>
  provision?(address: string, signal: AbortSignal): Promise<void>
  history?: HistoryFacet
  capabilities?: Partial<Capabilities>
  /** Of the manifest; default true. */
  federates?: boolean
  /** Default: {@link scriptedAddress}. */
  addressOf?(wallet: string): string
  /** Default: reports `connected`. */
  start?(context: AdapterContext, signal: AbortSignal): Promise<void>
  stop?(): Promise<void>
}

/** A network that does what the test says, and keeps what it was asked. */
export interface Scripted {
  definition: AdapterDefinition
  script: Script
  /** Transaction ids of all sends, in order. */
  sends: SendIntent[]
  /** Of the instance made last. */
  context(): AdapterContext
  /** Instances made. */
  readonly instances: number
}

/** The address of a wallet on every scripted network. */
export const scriptedAddress = (wallet: string) => `at:${wallet}`

/** A frame as a network hands it over that tells nothing about it. */
export function heard(frame: Uint8Array, remoteId: string, more: Partial<Inbound> = {}): Inbound {
  return {
    frame,
    remoteId,
    to: null,
    from: null,
    via: 'stream',
    remoteTime: null,
    transactionId: null,
    ...more,
  }
}

/** The error that a test wants from a network. */
export function failure(...error: ConstructorParameters<typeof AdapterError>): () => Promise<never> {
  return async () => {
    throw new AdapterError(...error)
  }
}

export function scripted(script: Script = {}): Scripted {
  const sends: SendIntent[] = []
  const contexts: AdapterContext[] = []
  let remote = 0
  const create = (_config: unknown, context: AdapterContext): Adapter => {
    contexts.push(context)
    return {
      async start(signal) {
        if (script.start) return script.start(context, signal)
        context.state({ state: 'connected' })
      },
      stop: async () => script.stop?.(),
      capabilities: () => ({
        maxFrameBytes: 100_000,
        echo: false,
        history: script.history !== undefined,
        lookup: script.history !== undefined,
        idempotentSend: false,
        ephemeral: false,
        reachesAnyone: true,
        sharedAddresses: false,
        ...script.capabilities,
      }),
      async send(intent, signal) {
        sends.push(intent)
        return script.send ? script.send(intent, signal) : { remoteIds: [`remote-${++remote}`] }
      },
      ...(script.history ? { history: script.history } : {}),
      identity: {
        addressOf: script.addressOf ?? scriptedAddress,
        isAddress: (address) => address.startsWith('at:'),
        ownAddress: () => null,
        provision: async ({ address }, signal) => script.provision?.(address, signal),
      },
    }
  }
  return {
    script,
    sends,
    context: () => contexts.at(-1)!,
    get instances() {
      return contexts.length
    },
    definition: {
      manifest: {
        network: 'scripted',
        title: 'Scripted',
        specVersion: 1,
        limits: { maxFrameBytes: 100_000 },
        redeliveryWindowMs: 60_000,
        ordering: 'none',
        federates: script.federates ?? true,
        carriesTransactionId: false,
        environment: [],
      },
      config: z.strictObject({}),
      create,
    },
  }
}
