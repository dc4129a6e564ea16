/** A socket of the service, over which it tells what happens in the chats of one account. It asks for no credentials. */
import { io, type Socket } from 'socket.io-client'
import type { Clock } from '../../src/adapter/index.ts'
import { orAborted } from './account.ts'
import { PushError } from './errors.ts'

export interface ChatSocketOptions {
  /** REST address; sockets are at the root of its host. */
  baseUrl: string
  did: string
  /** For the transport to open. The whole connection may take twice as long. */
  timeoutMs: number
  clock: Clock
  /** Called with each `CHATS` event: a message in its encrypted form, or the answer to a request. */
  onChat(event: unknown): void
}

/**
 * Resolves when it is connected, and never connects again by itself: what was missed meanwhile is not replayed. Rejects with
 * `PushError` `unreachable` or `aborted`.
 */
export async function connectChatSocket(options: ChatSocketOptions, signal: AbortSignal): Promise<Socket> {
  const socket = io(options.baseUrl.replace(/\/apis$/, ''), {
    transports: ['websocket'],
    query: { mode: 'chat', did: options.did },
    reconnection: false,
    forceNew: true,
    timeout: options.timeoutMs,
  })
  // Before anything else, so that no event is missed.
  socket.on('CHATS', (event: unknown) => options.onChat(event))
  const settled = new AbortController()
  try {
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      const fail = () =>
        reject(new PushError('unreachable', 'The socket of the Push service cannot be reached'))
      socket.once('connect_error', fail)
      // The transport was open, and was lost before the service let the account in: the library tells of no error then.
      socket.once('disconnect', fail)
      // Nor does it when the transport opens and nothing comes after that.
      options.clock.sleep(2 * options.timeoutMs, settled.signal).then(fail, () => undefined)
    })
    await orAborted(connected, signal)
    return socket
  } catch (error) {
    socket.disconnect()
    throw error
  } finally {
    settled.abort()
  }
}
