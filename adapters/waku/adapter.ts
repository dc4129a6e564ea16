/** The Waku adapter: frames in, frames out, over whichever driver is configured. */
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type Capabilities,
  type DoctorFacet,
  type Finding,
  type HistoryFacet,
  type IdentityFacet,
  type Inbound,
  type Receipt,
  type SendIntent,
  type StateReport,
} from '../../src/adapter/index.ts'
import {
  CONTENT_TOPIC_PATTERN,
  contentTopicOf,
  contentTopics,
  isContentTopic,
  MAX_FRAME_BYTES,
} from './carriage.ts'
import type { WakuConfig } from './config.ts'
import type { DriverSetting, WakuDriver } from './driver.ts'
import { EmbeddedDriver } from './embedded/driver.ts'
import { toAdapterError, WakuError } from './errors.ts'
import { Intake, toInbound } from './intake.ts'
import { LightDriver } from './light/driver.ts'
import { RestDriver } from './rest/driver.ts'
import { SentMessages } from './sent.ts'
import { pubsubTopicOf } from './wire/message.ts'

const INTAKE_CAPACITY = 2_000
const INTAKE_CONCURRENCY = 16

/** An earlier send that this process does not remember is looked for this far back, in milliseconds. */
const FIND_WINDOW_MS = 24 * 3_600_000

/** Senders' clocks may run ahead by this much. */
const CLOCK_SPREAD_MS = 60_000

/** What lives from one start to the next stop. */
interface Session {
  driver: WakuDriver
  intake: Intake
}

export class WakuAdapter implements Adapter {
  readonly #config: WakuConfig
  readonly #context: AdapterContext
  readonly #sent: SentMessages
  readonly #pubsubTopic: string
  #session: Session | null = null
  #stopping: Promise<void> = Promise.resolve()
  #reported: StateReport['state'] | null = null

  readonly identity: IdentityFacet = {
    addressOf: (wallet) => contentTopicOf(wallet, this.#config.buckets),
    isAddress: (address) => isContentTopic(address, this.#config.buckets),
    ownAddress: () => null,
  }

  readonly history: HistoryFacet = {
    walk: ({ since }, signal) => this.#walk(since, signal),
    find: (intent, signal) => this.#translated(() => this.#find(this.#running(), intent, signal)),
  }

  readonly doctor: DoctorFacet = { examine: (signal) => this.#examine(signal) }

  constructor(config: WakuConfig, context: AdapterContext) {
    this.#config = config
    this.#context = context
    this.#pubsubTopic = pubsubTopicOf(config.clusterId, config.shardsInCluster)
    this.#sent = new SentMessages(context.clock)
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#stopping
    if (this.#session || signal.aborted) return
    const session = this.#createSession()
    this.#session = session
    this.#report({ state: 'starting' })
    await session.driver.start(signal)
  }

  async stop(signal: AbortSignal): Promise<void> {
    const session = this.#session
    this.#session = null
    if (session) this.#stopping = this.#end(session)
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    await Promise.race([this.#stopping, aborted])
    if (!this.#session) this.#report({ state: 'stopped' })
  }

  capabilities(): Capabilities {
    return {
      maxFrameBytes: MAX_FRAME_BYTES,
      echo: true,
      history: true,
      lookup: true,
      idempotentSend: true,
      ephemeral: true,
      reachesAnyone: true,
      sharedAddresses: true,
    }
  }

  describe(): Record<string, unknown> {
    return {
      clusterId: this.#config.clusterId,
      shards: this.#config.shardsInCluster,
      multiaddrs: this.#session?.driver.addresses() ?? [],
      contentTopicPattern: CONTENT_TOPIC_PATTERN,
      buckets: this.#config.buckets,
    }
  }

  async send(intent: SendIntent, signal: AbortSignal): Promise<Receipt> {
    if (intent.frame.length > MAX_FRAME_BYTES) {
      throw new AdapterError(
        'tooLarge',
        `The frame has ${intent.frame.length} bytes; Waku takes ${MAX_FRAME_BYTES}`,
      )
    }
    if (intent.frame.length === 0)
      throw new AdapterError('permanent', 'The frame is empty; Waku carries no empty messages')
    if (!isContentTopic(intent.to.address, this.#config.buckets)) {
      throw new AdapterError(
        'permanent',
        'The address is not a content topic of this network; derive it from the wallet',
      )
    }
    if (signal.aborted) throw new AdapterError('retryable', 'The send was cancelled before it began')
    return this.#translated(async () => {
      const session = this.#running()
      const earlier = await this.#earlier(session, intent, signal)
      if (earlier) return earlier
      const message = this.#sent.messageOf(intent, this.#pubsubTopic)
      await session.driver.publish(message, signal)
      return { remoteIds: [message.id] }
    })
  }

  /**
   * Whether a retry would repeat a message that arrived, under another hash: archives take only timestamps of about now, so
   * a late retry needs a new one; and after a restart the first one is not remembered.
   */
  async #earlier(session: Session, intent: SendIntent, signal: AbortSignal): Promise<Receipt | null> {
    const attempts = this.#sent.all(intent)
    if (attempts.length === 0) return intent.attempt > 1 ? this.#find(session, intent, signal) : null
    return this.#sent.mayRepeat(intent) ? null : this.#find(session, intent, signal)
  }

  async #find({ driver }: Session, intent: SendIntent, signal: AbortSignal): Promise<Receipt | null> {
    const attempts = this.#sent.all(intent)
    for (const { hash, id } of attempts) {
      if (await driver.lookup(hash, signal)) return { remoteIds: [id] }
    }
    if (attempts.length > 0) return null
    const now = this.#context.clock.now()
    const range = { since: now - FIND_WINDOW_MS, until: now + CLOCK_SPREAD_MS }
    const wanted = { ...range, contentTopic: intent.to.address, payload: intent.frame }
    const found = await driver.search(wanted, signal)
    return found ? { remoteIds: [found.id] } : null
  }

  async *#walk(since: number, signal: AbortSignal): AsyncGenerator<Inbound> {
    try {
      const { driver } = this.#running()
      const until = this.#context.clock.now() + CLOCK_SPREAD_MS
      for await (const message of driver.history({ since, until }, signal))
        yield toInbound(message, 'history')
    } catch (error) {
      throw toAdapterError(error)
    }
  }

  async #examine(signal: AbortSignal): Promise<Finding[]> {
    if (this.#session) return this.#session.driver.examine(signal)
    return [
      {
        check: 'running',
        status: 'error',
        message: 'The Waku adapter is not started',
        fix: 'Start the gateway',
      },
    ]
  }

  #createSession(): Session {
    const { clock, log } = this.#context
    const { clusterId, buckets } = this.#config
    const intake = new Intake({
      capacity: INTAKE_CAPACITY,
      concurrency: INTAKE_CONCURRENCY,
      clock,
      log,
      deliver: (inbound) => this.#context.deliver(inbound),
      history: (range, signal) => driver.history(range, signal),
    })
    const setting: DriverSetting = {
      context: this.#context,
      clusterId,
      pubsubTopic: this.#pubsubTopic,
      contentTopics: contentTopics(buckets),
      events: {
        message: (message) => {
          // A service node pushes back what was published through it; the gateway knows it already.
          if (isContentTopic(message.contentTopic, buckets) && !this.#sent.isOwn(message.id))
            intake.offer(message)
        },
        gap: (since) => intake.gap(since),
        state: (report) => {
          if (this.#session === session) this.#report(report)
        },
      },
    }
    const driver = createDriver(this.#config, setting)
    const session = { driver, intake }
    return session
  }

  async #end({ driver, intake }: Session): Promise<void> {
    await intake.stop()
    await driver.stop()
  }

  #running(): Session {
    if (this.#session) return this.#session
    throw new WakuError('no-peer', 'The Waku adapter is not started; nothing was sent')
  }

  async #translated<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      throw toAdapterError(error)
    }
  }

  #report(report: StateReport): void {
    if (this.#reported === report.state) return
    this.#reported = report.state
    this.#context.state(report)
  }
}

function createDriver(config: WakuConfig, setting: DriverSetting): WakuDriver {
  switch (config.driver) {
    case 'embedded':
      return new EmbeddedDriver(config, setting)
    case 'light':
      return new LightDriver(config, setting)
    case 'nwaku-rest':
      return new RestDriver(config, setting)
  }
}
