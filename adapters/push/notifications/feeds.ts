/**
 * The feeds of wallets: a socket for each, and the service's REST interface for what the socket missed. Both are public and
 * want no key.
 */
import { io, type Socket } from 'socket.io-client'
import { z } from 'zod'
import type { AdapterContext, NativeInbound, StateReport } from '../../../src/adapter/index.ts'
import { baseUrlOf, chainOf, type PushConfig } from '../config.ts'
import { abridged, addressOfDid } from '../did.ts'
import type { RestClient } from '../rest.ts'
import { nativeOf, readItem } from './content.ts'

const PAGE_SIZE = 30
/** A feed is read back this many pages at most. */
const MOST_PAGES = 100
/** Times are the service's, and only to the second. Milliseconds. */
const CLOCK_SKEW_MS = 120_000
const FIRST_PAUSE_MS = 250
/** Notifications of one wallet that wait to be made durable; more are let go, and found again by a walk. */
const CAPACITY = 200

const feedSchema = z.looseObject({ feeds: z.array(z.unknown()) })

export interface Feeds {
  /** Hears the wallet's notifications until `unfollow`. One that is followed already is no error. `report`: of its socket. */
  follow(enrolment: string, did: string, report: (report: StateReport) => void): void
  /** Resolves when nothing is delivered for it any more. */
  unfollow(enrolment: string): Promise<void>
  /** What the service keeps for a wallet since a time (Unix milliseconds), oldest first. */
  walk(enrolment: string, did: string, since: number, signal: AbortSignal): AsyncGenerator<NativeInbound>
  /** Ends all of them. */
  stop(): Promise<void>
}

interface Follower {
  stop(): Promise<void>
}

export interface FeedsOptions {
  config: PushConfig
  rest: RestClient
  context: Pick<AdapterContext, 'deliverNative' | 'clock' | 'log'>
  /** DID of the gateway's own channel, whose notifications say nothing but that an item waits in the inbox. */
  ownChannel: string | null
}

export function createFeeds({ config, rest, context, ownChannel }: FeedsOptions): Feeds {
  const { clock, log, deliverNative } = context
  const followers = new Map<string, Follower>()
  const caipOf = (did: string) => `eip155:${chainOf(config)}:${addressOfDid(did)}`

  /** Null for what is no notification for the wallet's eyes. */
  function inboundOf(input: unknown, enrolment: string, via: NativeInbound['via']): NativeInbound | null {
    const item = readItem(input)
    if (!item || item.hidden || item.notification.channel === ownChannel) return null
    return nativeOf(item.notification, { enrolment, via, now: clock.now() })
  }

  async function* walk(
    enrolment: string,
    did: string,
    since: number,
    signal: AbortSignal,
  ): AsyncGenerator<NativeInbound> {
    const found = new Map<string, NativeInbound>()
    const path = `/v1/users/${caipOf(did)}/feeds`
    for (let page = 1; page <= MOST_PAGES; page++) {
      const query = `?page=${page}&limit=${PAGE_SIZE}&spam=false`
      const { feeds } = await rest.get(path + query, feedSchema, signal)
      // Newest first. How many a page holds at most is the service's secret, so an empty one ends the feed.
      const isOver =
        feeds.length === 0 || (readItem(feeds.at(-1))?.notification.sentAt ?? since) < since - CLOCK_SKEW_MS
      for (const item of feeds) {
        const inbound = inboundOf(item, enrolment, 'history')
        if (inbound && inbound.remoteTime >= since - CLOCK_SKEW_MS) found.set(inbound.remoteId, inbound)
      }
      if (isOver) break
    }
    yield* [...found.values()].reverse()
  }

  function start(enrolment: string, did: string, report: (report: StateReport) => void): Follower {
    const ended = new AbortController()
    let tail: Promise<unknown> = Promise.resolve()
    let catchingUp: Promise<void> = Promise.resolve()
    let waiting = 0
    /** Until when everything was heard, as far as a connection can tell. Unix milliseconds. */
    let heardUntil = clock.now()
    const details = { account: abridged(did) }

    async function catchUp(connection: AbortSignal): Promise<void> {
      for (
        let pauseMs = FIRST_PAUSE_MS;
        !connection.aborted;
        pauseMs = Math.min(pauseMs * 2, config.reconnectMaxMs)
      ) {
        try {
          for await (const inbound of walk(enrolment, did, heardUntil, connection)) {
            connection.throwIfAborted()
            await deliverNative(inbound)
          }
          return
        } catch (error) {
          if (connection.aborted) return
          log.warn({ ...details, error }, 'notifications that were missed could not be read yet')
          await clock.sleep(pauseMs, connection).catch(() => undefined) // ended while it waited
        }
      }
    }

    function take(input: unknown): void {
      const inbound =
        ended.signal.aborted || waiting >= CAPACITY ? null : inboundOf(input, enrolment, 'stream')
      if (!inbound) return
      waiting++
      tail = tail
        .then(() => (ended.signal.aborted ? null : deliverNative(inbound)))
        .catch((error: unknown) => {
          // The next walk of the enrolment brings it again.
          if (!ended.signal.aborted) log.warn({ ...details, error }, 'a notification could not be taken yet')
        })
        .finally(() => waiting--)
    }

    const socket: Socket = io(baseUrlOf(config).replace(/\/apis$/, ''), {
      transports: ['websocket'],
      query: { address: caipOf(did) },
      forceNew: true,
      timeout: config.requestTimeoutMs,
      reconnectionDelay: Math.min(FIRST_PAUSE_MS, config.reconnectMaxMs),
      reconnectionDelayMax: config.reconnectMaxMs,
      randomizationFactor: 0.5,
    })
    let connection = new AbortController()
    socket.on('userFeeds', take)
    socket.on('connect', () => {
      connection = new AbortController()
      const signal = AbortSignal.any([connection.signal, ended.signal])
      report({ state: 'connected' })
      // What came between the last word of the old connection and the first of this one. One at a time.
      catchingUp = catchingUp.then(() => catchUp(signal))
    })
    socket.on('disconnect', (reason) => {
      connection.abort()
      heardUntil = clock.now()
      if (ended.signal.aborted) return
      report({ state: 'transientDisconnect', reason: 'The socket of the Push service was closed' })
      // The one case in which the library does not try again by itself.
      if (reason === 'io server disconnect') socket.connect()
    })
    return {
      async stop() {
        ended.abort()
        socket.disconnect()
        await Promise.all([tail, catchingUp])
      },
    }
  }

  async function unfollow(enrolment: string): Promise<void> {
    const follower = followers.get(enrolment)
    followers.delete(enrolment)
    await follower?.stop()
  }

  return {
    follow(enrolment, did, report) {
      if (!followers.has(enrolment)) followers.set(enrolment, start(enrolment, did, report))
    },
    unfollow,
    walk,
    async stop() {
      await Promise.all([...followers.keys()].map(unfollow))
    },
  }
}
