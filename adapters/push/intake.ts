/**
 * What the socket tells, put in the order of the chain. The service does not replay what a socket missed, loses events,
 * and sends them in any order; but each message names the one before, so a gap is seen with the next message, and filled.
 */
import type { AdapterContext } from '../../src/adapter/index.ts'
import { type Account, boundedSet } from './account.ts'
import { type Chain, type ChainMessage, messageSchema, peerOf } from './chain.ts'
import { abridged } from './did.ts'
import type { Reader } from './reader.ts'

/** Events that wait to be processed; more are let go, and found again as gaps. */
const CAPACITY = 500
/** Messages remembered as done. */
const REMEMBERED_MESSAGES = 50_000
/** Without a known head, a gap is followed back to this long before the start, in milliseconds. */
const CLOCK_SKEW_MS = 120_000

export interface Intake {
  /** A `CHATS` event of the socket. */
  offer(event: unknown): void
  /** cid of the last message of the chat with this account that was processed, with all before it. */
  head(peer: string): Promise<string | null>
  /** The message was processed, and all before it. */
  done(peer: string, cid: string): Promise<void>
  /** Accepts the account's request, if it has one. A failure is told to the log: the next walk finds the request again. */
  accept(peer: string, signal: AbortSignal): Promise<void>
  /** Resolves when nothing is being processed any more. */
  stop(): Promise<void>
}

export interface IntakeOptions {
  account: Account
  chain: Chain
  reader: Reader
  context: Pick<AdapterContext, 'deliver' | 'storage' | 'log' | 'clock'>
  /** The signal that ends with the adapter's present run. */
  lifetime(): AbortSignal
}

export function createIntake({ account, chain, reader, context, lifetime }: IntakeOptions): Intake {
  const { deliver, storage, log, clock } = context
  const floor = clock.now() - CLOCK_SKEW_MS
  const known = boundedSet(REMEMBERED_MESSAGES)
  const heads = new Map<string, string>()
  const lanes = new Map<string, Promise<void>>()
  let waiting = 0

  const headKey = (peer: string) => `head/${peer}`

  async function head(peer: string): Promise<string | null> {
    return heads.get(peer) ?? (await storage.get(headKey(peer)))
  }

  async function done(peer: string, cid: string): Promise<void> {
    known.add(cid)
    if (heads.get(peer) === cid) return
    heads.set(peer, cid)
    await storage.set(headKey(peer), cid)
  }

  /** Messages from the first that was not processed to this one, oldest first. */
  async function* unprocessed(peer: string, message: ChainMessage, signal: AbortSignal) {
    if (message.link === null || known.has(message.link)) {
      yield message
      return
    }
    const last = await head(peer)
    const isOld = ({ cid, timestamp }: ChainMessage) =>
      last === null ? timestamp !== null && timestamp < floor : cid === last || known.has(cid)
    yield* chain.forwards(message.cid, isOld, signal)
  }

  async function process(peer: string, newest: ChainMessage, isRequest: boolean): Promise<void> {
    const signal = lifetime()
    if (known.has(newest.cid)) return
    let carriesFrame = false
    let rejection: unknown = null
    for await (const message of unprocessed(peer, newest, signal)) {
      // The gateway's own messages are in the chain as well.
      const inbound = message.fromDID === account.did ? null : await reader.read(message, 'stream', signal)
      signal.throwIfAborted()
      if (inbound) {
        carriesFrame = true
        // One that is not durable does not stop the others; but nothing from it on counts as processed.
        await deliver(inbound).catch((error: unknown) => {
          rejection ??= error ?? 'rejected'
        })
      }
      if (rejection === null) await done(peer, message.cid)
    }
    if (rejection !== null) throw rejection
    // Only who sends frames is let in: an accepted account may write as much as it likes.
    if (isRequest && carriesFrame) await accept(peer, signal)
  }

  async function accept(peer: string, within: AbortSignal): Promise<void> {
    try {
      await account.accept(peer, within)
    } catch (error) {
      if (within.aborted) return
      log.warn(
        { account: abridged(peer), error: nameOf(error) },
        'a request on Push could not be accepted yet',
      )
    }
  }

  /** One after the other for each account, side by side for several. */
  function inLane(peer: string, work: () => Promise<void>): void {
    waiting++
    const lane = (lanes.get(peer) ?? Promise.resolve()).then(work).then(
      () => waiting--,
      (error: unknown) => {
        waiting--
        if (lifetime().aborted) return
        // Its head stays where it was, so the next message or walk finds it again.
        log.warn(
          { account: abridged(peer), error: nameOf(error) },
          'a message on Push could not be taken yet',
        )
      },
    )
    const ended = lane.then(() => {
      if (lanes.get(peer) === ended) lanes.delete(peer)
    })
    lanes.set(peer, ended)
  }

  return {
    offer(event) {
      if (lifetime().aborted || waiting >= CAPACITY) return
      const message = messageSchema.safeParse(event)
      // Approvals and refusals of requests carry no message.
      if (!message.success) return
      const { isGroup, messageCategory } = message.data
      const peer = peerOf(message.data, account.did)
      if (peer === null || isGroup === true) return
      inLane(peer, () => process(peer, message.data, messageCategory === 'Request'))
    },
    head,
    done,
    accept,
    async stop() {
      await Promise.all(lanes.values())
    },
  }
}

function nameOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unexpected'
}
