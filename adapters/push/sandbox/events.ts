/** Socket events to clients, and what goes wrong with them. SANDBOX. */
import type { Server } from 'socket.io'
import { addressOfDid, canonicalDid } from '../did.ts'
import type { FaultState } from './faults.ts'
import type { Chat, Json, Message } from './state.ts'

/** Longest extra delay of a reordered event, milliseconds. */
const REORDERING_MS = 200

export interface Events {
  /** Tells both sides, or the members of a group, of a message. */
  message(message: Message, chat: Chat, targets: string[]): void
  /** Any other event for one wallet's chat sockets. */
  chat(did: string, event: 'CHATS' | 'CHAT_GROUPS', data: Json): void
  notification(address: string, spam: boolean, item: Json): void
  stop(): void
}

/** Clients that connect name what they want in the query, without any credentials: so does the service. */
export function createEvents(server: Server, faults: FaultState): Events {
  const timers = new Set<NodeJS.Timeout>()
  const held: (() => void)[] = []

  server.on('connection', (socket) => {
    const { mode, did, address } = socket.handshake.query
    const chatDid = mode === 'chat' && typeof did === 'string' ? canonicalDid(did) : null
    const account = typeof address === 'string' ? canonicalDid(address) : null
    if (chatDid) void socket.join(`chat:${chatDid}`)
    else if (account) void socket.join(`notifications:${addressOfDid(account)}`)
    else socket.disconnect(true)
  })

  function after(milliseconds: number, emit: () => void): void {
    if (milliseconds === 0) {
      emit()
      return
    }
    const timer = setTimeout(() => {
      timers.delete(timer)
      emit()
    }, milliseconds)
    timers.add(timer)
  }

  /** Lost, doubled or late, as the switches say. */
  function faulty(emit: () => void): void {
    if (faults.random() < faults.lossShare) return
    const late = faults.random() < faults.reorderingShare ? faults.random() * REORDERING_MS : 0
    after(faults.latencyMs + late, emit)
    if (faults.random() < faults.duplicationShare) after(faults.latencyMs + REORDERING_MS / 2, emit)
  }

  return {
    message(message, chat, targets) {
      const hasIntent = chat.group !== null || chat.intents.length >= 2
      const event = {
        ...message,
        messageCategory: hasIntent ? 'Chat' : 'Request',
        hasIntent,
        isGroup: chat.group !== null,
      }
      const emit = () => {
        for (const did of targets) {
          const messageOrigin = did === message.fromDID ? 'self' : 'other'
          faulty(() => server.to(`chat:${did}`).emit('CHATS', { ...event, messageOrigin }))
        }
      }
      if (faults.toHold === 0) {
        emit()
        return
      }
      held.push(emit)
      faults.toHold--
      if (faults.toHold === 0) for (const late of held.splice(0).reverse()) late()
    },
    chat: (did, event, data) => faulty(() => server.to(`chat:${did}`).emit(event, data)),
    notification(address, spam, item) {
      faulty(() => server.to(`notifications:${address}`).emit(spam ? 'userSpamFeeds' : 'userFeeds', item))
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
