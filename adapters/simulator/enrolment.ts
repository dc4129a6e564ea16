/** Hop mode on a simulated network: the gateway as one of a wallet's clients. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import {
  type AdapterContext,
  AdapterError,
  type Enrolment,
  type EnrolmentFacet,
  type NativeInbound,
  type NativeIntent,
  type Receipt,
} from '../../src/adapter/index.ts'
import { simulatorAddress } from './address.ts'
import type { NativeMessage } from './natives.ts'
import type { SimulatedNetwork } from './network.ts'

const MEANING =
  'The gateway becomes one of your clients on this simulated network: it reads what is written to you there and writes in your name, until you end this.'

interface Begun {
  wallet: string
  text: string
}

interface Open {
  address: string
  leave: () => void
}

/**
 * What a wallet of the simulated network returns for a text: it has no keys. Tests and trials call it in the wallet's place.
 */
export function simulatorSignature(wallet: string, text: string): string {
  return `0x${createHmac('sha256', wallet).update(text).digest('hex')}`
}

export interface SimulatorEnrolments extends EnrolmentFacet {
  /** Closes all. */
  stop(): void
}

export function createSimulatorEnrolments(
  network: SimulatedNetwork,
  context: AdapterContext,
  connected: (signal: AbortSignal) => void,
  answer: (signal: AbortSignal) => Promise<void>,
): SimulatorEnrolments {
  const { natives } = network
  const begun = new Map<string, Begun>()
  const open = new Map<string, Open>()

  function inboundOf(
    enrolment: string,
    address: string,
    message: NativeMessage,
    via: NativeInbound['via'],
  ): NativeInbound {
    const conversation = natives.conversation(message.conversation)
    if (!conversation) throw new AdapterError('permanent', 'the conversation is gone')
    const peer = conversation.members.find((member) => member !== address) ?? address
    return {
      enrolment,
      remoteId: message.remoteId,
      conversation: {
        remoteId: conversation.id,
        kind: conversation.kind,
        name: conversation.name,
        peer: conversation.kind === 'direct' ? { wallet: natives.walletOf(peer), address: peer } : null,
      },
      from: message.from,
      own: message.from.address === address,
      remoteTime: message.time,
      via,
      content: message.content,
      reference: message.reference,
      replaces: message.replaces,
      transactionId: message.client === enrolment ? message.transactionId : null,
    }
  }

  function join(id: string, address: string): void {
    const leave = natives.join({
      id,
      address,
      async receive(message) {
        await context.deliverNative(inboundOf(id, address, message, 'stream'))
      },
    })
    open.set(id, { address, leave })
    context.enrolmentState(id, { state: network.out ? 'transientDisconnect' : 'connected' })
  }

  function close(id: string): void {
    open.get(id)?.leave()
    open.delete(id)
  }

  function requireOpen(id: string): Open {
    const found = open.get(id)
    if (!found) throw new AdapterError('retryable', 'the enrolment is not open')
    return found
  }

  function conversationOf(own: string, to: NativeIntent['to']): string {
    if ('conversation' in to) return to.conversation
    const peer = simulatorAddress(to.wallet)
    if (!natives.knows(peer))
      throw new AdapterError('permanent', 'the recipient is not on the simulated network')
    return natives.direct(own, peer).id
  }

  return {
    terms: { meaning: MEANING, handover: 'none', groups: true },
    async begin({ id, wallet }, signal) {
      connected(signal)
      const nonce = createHash('sha256').update(context.random.bytes(16)).digest('hex').slice(0, 16)
      const text = `Simulated network: add a client\n\nClient: ${id}\nNonce: ${nonce}`
      begun.set(id, { wallet, text })
      return { text }
    },
    async complete({ id, signature }, signal) {
      const waiting = begun.get(id)
      if (!waiting) throw new AdapterError('permanent', 'this enrolment was not begun')
      connected(signal)
      const expected = Buffer.from(simulatorSignature(waiting.wallet, waiting.text))
      const given = Buffer.from(signature)
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw new AdapterError('permanent', 'the signature is not the wallet’s')
      }
      begun.delete(id)
      const address = natives.register(waiting.wallet)
      join(id, address)
      return { address }
    },
    async cancel(id) {
      begun.delete(id)
    },
    async open({ id, address, wallet }, signal) {
      connected(signal)
      if (open.has(id)) return
      natives.register(wallet)
      join(id, address)
    },
    async close(id) {
      close(id)
    },
    async revoke({ id }: Enrolment) {
      close(id)
      return network.out
        ? { remote: 'pending', userAction: 'Take the gateway off with another client.' }
        : { remote: 'done' }
    },
    async send(intent, signal): Promise<Receipt> {
      const { address } = requireOpen(intent.enrolment)
      connected(signal)
      const { content, reference, replaces, transactionId } = intent
      const place = conversationOf(address, intent.to)
      const draft = { content, reference, replaces, transactionId }
      const { remoteId } = natives.post({ address, client: intent.enrolment }, place, draft)
      await answer(signal)
      if (network.losesAnswer()) {
        throw new AdapterError('uncertain', 'the simulated network took the message and lost its answer')
      }
      return { remoteIds: [remoteId] }
    },
    async find(intent, signal) {
      requireOpen(intent.enrolment)
      connected(signal)
      await answer(signal)
      const message = natives.lookUp(intent.enrolment, intent.transactionId)
      return message ? { remoteIds: [message.remoteId] } : null
    },
    async *walk({ enrolment, since }, signal) {
      const { address } = requireOpen(enrolment)
      connected(signal)
      await answer(signal)
      for (const message of natives.history(address, since)) {
        connected(signal)
        yield inboundOf(enrolment, address, message, 'history')
      }
    },
    stop() {
      for (const id of [...open.keys()]) close(id)
      begun.clear()
    },
  }
}
