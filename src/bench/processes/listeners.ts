/** Many wallets that listen and hear nothing, in a process of their own, so that what they cost is not the gateway's. */
import { serveParent } from '../child.ts'
import { type EventStreams, openEventStreams } from '../load/event-streams.ts'
import { type ItemSockets, openItemSockets } from '../load/socket-connection.ts'

const WALLETS_OF_A_SOCKET = 50

const open: (EventStreams | ItemSockets)[] = []

serveParent(
  {
    async open({ url, tokens, transport }: { url: string; tokens: string[]; transport: 'sse' | 'socket' }) {
      if (transport === 'sse') {
        for (const token of tokens) open.push(await openEventStreams(url, token, 1))
        return
      }
      for (let place = 0; place < tokens.length; place += WALLETS_OF_A_SOCKET)
        open.push(await openItemSockets(url, tokens.slice(place, place + WALLETS_OF_A_SOCKET), 1))
    },
  },
  () => {
    for (const listener of open) listener.close()
  },
)
