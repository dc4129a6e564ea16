/** What the comparison needs of a system: one endpoint that publishes, one that receives, both in the measuring process. */

export interface Peer {
  /** Stable name, for options and reports. */
  name: string
  title: string
  /** What has to be installed for it; null when it brings everything along. */
  needs: {
    /** Names or paths of its server, of which one has to be there. */
    programs: readonly string[]
    /** Debian's package of the server. */
    debian: string
    /** Modules of its client. */
    modules: readonly string[]
  } | null
  /** Starts its server on a free loopback port with a fresh folder, and connects both endpoints. */
  open(): Promise<Link>
}

export interface Link {
  /** Makes messages `first` … `first + count - 1` ahead of the measurement. */
  prepare(first: number, count: number): void
  /** Sends message `number`; the same number again is a repeat. Resolves when the system has acknowledged it. */
  publish(number: number): Promise<void>
  /** Called for every message that the receiving endpoint gets, repeats included. */
  onDelivery: (number: number) => void
  /** CPU time of all processes of the server so far, microseconds. */
  serverCpu(): Promise<number>
  stop(): Promise<void>
}

/** Registers what has to be undone in the end, latest first. */
export type Later = (step: () => Promise<unknown>) => void

/** Builds a link of parts. When one fails, those before it are undone; all are undone by `stop`. */
export async function buildLink(build: (later: Later) => Promise<Omit<Link, 'stop'>>): Promise<Link> {
  const steps: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const step of steps.splice(0).reverse()) await step()
  }
  try {
    return Object.assign(await build((step) => steps.push(step)), { stop })
  } catch (error) {
    await stop()
    throw error
  }
}

/** Bytes of a message to a broker, and of the body of an envelope. */
export const MESSAGE_BYTES = 1_024
