/** The Push adapter: chats from and to the gateway's own account. */
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type Capabilities,
  type Inbound,
  type Receipt,
  type SendIntent,
} from '../../src/adapter/index.ts'
import { createAccount, didOfKey } from './account.ts'
import { encodeText } from './carriage.ts'
import { createChain } from './chain.ts'
import { baseUrlOf, type PushConfig } from './config.ts'
import { createConnection } from './connection.ts'
import { didOfWallet, isDid } from './did.ts'
import { createDoctor } from './doctor.ts'
import { createEnrolments } from './enrolment/index.ts'
import { toAdapterError } from './errors.ts'
import { createHistory } from './history.ts'
import { createIntake } from './intake.ts'
import { createChannel } from './notifications/channel.ts'
import { withNotifications } from './notifications/enrolment.ts'
import { createFeeds } from './notifications/feeds.ts'
import { createOpaqueMirrors } from './opaque/index.ts'
import { createProfiles } from './profiles.ts'
import { createReader } from './reader.ts'
import { createRestClient } from './rest.ts'
import { createSdkHost } from './sdk/host.ts'

/** Transactions remembered, to know how far back to look for an uncertain one. */
const REMEMBERED_TRANSACTIONS = 20_000

/** Wires the adapter together. Nothing is connected, and the SDK not loaded, before `start`. */
export function createPushAdapter(config: PushConfig, context: AdapterContext): Adapter {
  const { clock, storage, log } = context
  const did = didOfKey(config.walletKey)
  const baseUrl = baseUrlOf(config)
  const rest = createRestClient({
    baseUrl,
    timeoutMs: config.requestTimeoutMs,
    clock,
    observe: (error) => connection.observe(error),
  })
  const profiles = createProfiles({ rest, storage, clock, log, cacheMs: config.profileCacheMs })
  const host = createSdkHost()
  const account = createAccount(config, { did, rest, profiles, host })
  const chain = createChain(rest)
  const reader = createReader(account, log)
  const connection = createConnection({
    config,
    context,
    account,
    async probe(signal) {
      profiles.forget(did)
      await profiles.lookUp(did, signal)
    },
    onChat: (event) => intake.offer(event),
  })
  const intake = createIntake({ account, chain, reader, context, lifetime: () => connection.lifetime() })
  const channel = createChannel({ config, rest, storage, clock })
  const lifetime = () => connection.lifetime()
  const enrolment = withNotifications(
    createEnrolments({ config, context, gateway: did, rest, profiles, host, lifetime }),
    {
      feeds: createFeeds({ config, rest, context, ownChannel: channel?.did ?? null }),
      context,
      lifetime,
    },
  )
  const opaque = createOpaqueMirrors({ config, rest }, context)
  /** Unix milliseconds of the first attempt of a transaction; null where it was made before a restart. */
  const sentAt = new Map<string, number | null>()
  const history = createHistory({
    account,
    rest,
    chain,
    reader,
    intake,
    clock,
    firstAttemptAt: (transactionId) => sentAt.get(transactionId) ?? null,
  })
  /** First messages to an account go one after the other: the first is a request, the rest are not. */
  const firstSends = new Map<string, Promise<unknown>>()
  const capabilities: Capabilities = {
    maxFrameBytes: config.maxFrameBytes,
    // The service does send them back, but there is nothing in them that the receipt does not say.
    echo: false,
    history: true,
    lookup: true,
    idempotentSend: false,
    ephemeral: false,
    reachesAnyone: false,
    sharedAddresses: false,
  }

  function check(intent: SendIntent): void {
    if (intent.frame.length > config.maxFrameBytes) {
      const text = `The frame is over ${config.maxFrameBytes} bytes, the most that is sent on Push`
      throw new AdapterError('tooLarge', text)
    }
    if (intent.frame.length === 0) throw new AdapterError('permanent', 'The frame is empty')
    if (!isDid(intent.to.address)) {
      throw new AdapterError('permanent', 'Not a Push DID: eip155: and a checksummed address are expected', {
        remoteCode: 'address-invalid',
      })
    }
  }

  function remember({ transactionId, attempt }: SendIntent): void {
    if (sentAt.has(transactionId)) return
    sentAt.set(transactionId, attempt === 1 ? clock.now() : null)
    if (sentAt.size > REMEMBERED_TRANSACTIONS) {
      const [oldest] = sentAt.keys()
      if (oldest !== undefined) sentAt.delete(oldest)
    }
  }

  async function inTurn<Value>(to: string, work: () => Promise<Value>): Promise<Value> {
    if (account.hasThread(to)) return work()
    const before = firstSends.get(to)
    const turn = (before ?? Promise.resolve()).then(work, work)
    firstSends.set(to, turn)
    try {
      return await turn
    } finally {
      if (firstSends.get(to) === turn) firstSends.delete(to)
    }
  }

  async function send(intent: SendIntent, signal: AbortSignal): Promise<Receipt> {
    check(intent)
    const to = intent.to.address
    return guarded(signal, async (either, leaving) => {
      await profiles.lookUp(to, either)
      const cid = await inTurn(to, () => {
        remember(intent)
        return account.send(to, encodeText(intent.frame), leaving, either)
      })
      return { remoteIds: [cid] }
    })
  }

  /** Ends a call with the adapter, and passes nothing but `AdapterError` on. */
  async function guarded<Value>(
    signal: AbortSignal,
    call: (signal: AbortSignal, leaving: () => void) => Promise<Value>,
  ): Promise<Value> {
    const lifetime = connection.lifetime()
    let left = false
    if (lifetime.aborted) {
      throw new AdapterError('retryable', 'The Push adapter is not started', { remoteCode: 'not-connected' })
    }
    try {
      return await call(AbortSignal.any([signal, lifetime]), () => {
        left = true
      })
    } catch (error) {
      throw toAdapterError(error, left)
    }
  }

  async function* walk(inbound: AsyncIterable<Inbound>): AsyncGenerator<Inbound> {
    try {
      yield* inbound
    } catch (error) {
      throw toAdapterError(error, false)
    }
  }

  return {
    start(signal) {
      opaque.start()
      return connection.start(signal)
    },
    async stop() {
      await Promise.all([connection.stop(), opaque.stop()])
      await intake.stop()
      await enrolment.stop()
      account.lock()
      await host.close()
    },
    capabilities: () => capabilities,
    send,
    describe: () => ({
      account: did,
      url: baseUrl,
      carriage: 'causeway1',
      channel: channel?.caip ?? null,
    }),
    history: {
      walk: (query, signal) => walk(history.walk(query, AbortSignal.any([signal, connection.lifetime()]))),
      find: (intent, signal) => guarded(signal, (either) => history.find(intent, either)),
    },
    identity: {
      addressOf: didOfWallet,
      isAddress: isDid,
      ownAddress: () => did,
    },
    enrolment,
    opaque,
    ...(channel
      ? {
          wake: {
            wake: (wallet, seenAt, signal) =>
              guarded(signal, (either, leaving) => channel.wake(wallet, seenAt, leaving, either)),
          },
        }
      : {}),
    doctor: createDoctor({ config, connection, profiles, reader, rest, account, channel }),
  }
}
