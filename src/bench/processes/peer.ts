/** Both endpoints of one compared system, in a process that did nothing else before. */
import { serveParent } from '../child.ts'
import { peerNamed } from '../peers/index.ts'
import { type Load, measure } from '../peers/measure.ts'
import type { Link } from '../peers/peer.ts'

let link: Link | null = null
let next = 0

async function stop(): Promise<void> {
  const open = link
  link = null
  await open?.stop()
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(1)))
}

serveParent(
  {
    async open(name: string) {
      link = await peerNamed(name).open()
    },
    async measure(load: Load) {
      if (link === null) throw new Error('no system is open')
      const first = next
      next += load.count
      return measure(link, load, first)
    },
  },
  stop,
)
