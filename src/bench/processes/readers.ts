/** Live readers in a process of their own, so that what they cost is not the sender's. */
import { serveParent } from '../child.ts'
import { type EventStreams, openEventStreams } from '../load/event-streams.ts'
import { type ItemSockets, openItemSockets } from '../load/socket-connection.ts'
import { monotonicNow } from '../observed-networks.ts'

let readers: EventStreams | ItemSockets | null = null
let arrivals: number[] = []
let expected = 0
let complete: () => void = () => {}

serveParent(
  {
    async open(input: { url: string; tokens: string[]; transport: 'sse' | 'socket'; each: number }) {
      const { url, tokens, transport, each } = input
      readers =
        transport === 'sse'
          ? await openEventStreams(url, tokens[0] ?? '', each)
          : await openItemSockets(url, tokens, each)
      readers.onEvent = () => {
        arrivals.push(monotonicNow())
        if (arrivals.length === expected) complete()
      }
    },
    /** Times of the next `count` arrivals, once all are there. */
    async arrivals(count: number): Promise<number[]> {
      expected = count
      if (arrivals.length < count) {
        await new Promise<void>((resolve) => {
          complete = resolve
        })
      }
      const seen = arrivals
      arrivals = []
      expected = 0
      return seen
    },
  },
  () => readers?.close(),
)
