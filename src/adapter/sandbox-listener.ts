/** The HTTP server of a sandbox, which can be switched off and comes back on the same port. */
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from './clock.ts'

/** While the port was free another process may have taken it for a moment. */
const REOPEN_ATTEMPTS = 100
const REOPEN_PAUSE_MS = 100

export interface Listener {
  /** Fixed from the first `open` on. */
  port(): number
  open(): Promise<void>
  /** Cuts the connections that are open; new ones are taken. */
  cut(): void
  /** Refuses new connections and cuts those that are open. */
  close(): Promise<void>
}

/**
 * `fixedPort` 0: any free port. Listens on loopback only. `open` rejects with the server's error where the port is taken at
 * the first time, and tries again for some seconds later.
 */
export function createListener(server: Server, fixedPort: number): Listener {
  const sockets = new Set<Socket>()
  let port = fixedPort
  let openedBefore = false
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  function listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        port = (server.address() as AddressInfo).port
        openedBefore = true
        resolve()
      })
    })
  }

  function cut(): void {
    for (const socket of sockets) socket.destroy()
  }

  return {
    port: () => port,
    cut,
    async open() {
      if (server.listening) return
      for (let attempt = 1; ; attempt++) {
        try {
          return await listen()
        } catch (error) {
          if (!openedBefore || attempt >= REOPEN_ATTEMPTS) throw error
          await systemClock.sleep(REOPEN_PAUSE_MS)
        }
      }
    },
    async close() {
      if (!server.listening) return
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      cut()
      await closed
    },
  }
}
