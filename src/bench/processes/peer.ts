/** Both endpoints of one compared system, in a process that did nothing else before. */
import { serveParent } from '../child.ts'
import { peerNamed } from '../peers/index.ts'
import { type Load, measure } from '../peers/measure.ts'
import type { Link } from '../peers/peer.ts'

let opening: Promise<Link> | null = null
let stopping: Promise<void> | null = null
let next = 0

/** Ends the other system's server too, which would outlive this process. */
function stop(): Promise<void> {
  stopping ??= (async () => {
    // One that did not come about has undone its parts, and the parent was told.
    const link = await opening?.catch(() => null)
    await link?.stop()
  })()
  return stopping
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stop().finally(() => process.exit(1)))
}

serveParent(
  {
    async open(name: string) {
      opening = peerNamed(name).open()
      await opening
    },
    async measure(load: Load) {
      if (opening === null) throw new Error('no system is open')
      const first = next
      next += load.count
      return measure(await opening, load, first)
    },
  },
  stop,
)
