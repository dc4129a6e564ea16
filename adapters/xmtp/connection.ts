/**
 * Keeps the gateway's inbox open, its stream running and its state reported. Connected means both: the network answers, and
 * the stream is open; the SDK calls a stream ready before it knows whether the network is there.
 */
import {
  type AdapterContext,
  AdapterError,
  type AdapterState,
  type Inbound,
  type StateReport,
} from '../../src/adapter/index.ts'
import { toInbound } from './carriage.ts'
import { operatorAction, toXmtpError, type XmtpError, XmtpError as XmtpFailure } from './errors.ts'
import type { XmtpInbox, XmtpMessage } from './inbox.ts'
import { Intake } from './intake.ts'
import { openSession, requireAuthorized, type Session, type SessionParts } from './session.ts'

/** Pauses in milliseconds between tries to open, to reach the network, and to listen. */
const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000
const LONGEST_LISTEN_PAUSE_MS = 2_000
/** A check that takes longer failed. */
const CHECK_TIMEOUT_MS = 10_000
/** `stop` waits this long for an opening that is under way, which the SDK cannot end. */
const STOP_PATIENCE_MS = 5_000
/** How often the network is asked whether this installation was revoked, which nothing else tells for certain. */
const VERIFY_EVERY_MS = 300_000
const INTAKE_CAPACITY = 5_000

export class Connection {
  readonly #parts: SessionParts
  readonly #context: AdapterContext
  #life = abortedController()
  #running: Promise<void> = Promise.resolve()
  #session: Session | null = null
  #wake = new AbortController()
  #last: StateReport = { state: 'stopped' }
  #failure: XmtpError | null = null
  #answers = false
  #listens = false
  #overflows = false
  #mustVerify = false
  #verifiedAt = 0
  #clockAhead: number | null = null

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#context = parts.context
  }

  /** Resolves when the first attempt to open has ended, whatever came of it; goes on until `stop`. */
  async start(signal: AbortSignal): Promise<void> {
    if (!this.#life.signal.aborted || signal.aborted) return
    const life = new AbortController()
    this.#life = life
    const before = this.#running
    const first = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => first.resolve(), { once: true })
    this.#report({ state: 'connecting' })
    this.#running = before.then(() => this.#run(life.signal, first.resolve)).finally(first.resolve)
    await first.promise
  }

  /** Resolves when streams, timers and the database are closed. */
  async stop(): Promise<void> {
    if (this.#life.signal.aborted) return
    this.#life.abort(new AdapterError('retryable', 'The XMTP adapter was stopped', { remoteCode: 'closed' }))
    const patience = new AbortController()
    const late = this.#context.clock.sleep(STOP_PATIENCE_MS, patience.signal).catch((error: unknown) => {
      if (!patience.signal.aborted) throw error
    })
    await Promise.race([this.#running, late])
    patience.abort()
    this.#report({ state: 'stopped' })
  }

  /** Ends with `stop`. */
  get lifetime(): AbortSignal {
    return this.#life.signal
  }

  /** The open inbox; null while there is none. */
  get session(): Session | null {
    return this.#session
  }

  get state(): AdapterState {
    return this.#last.state
  }

  /** Why the inbox is not open, or the network out of reach; null while all is well. */
  get failure(): XmtpError | null {
    return this.#failure
  }

  /** By how many milliseconds the network's clock was ahead of ours with the last own message; null before one. */
  get clockAhead(): number | null {
    return this.#clockAhead
  }

  /** Learns from the failure of any call. */
  observe(error: unknown): void {
    if (toXmtpError(error).code === 'unavailable') this.#wake.abort()
  }

  /** Asks whether this installation still counts. Resolves when `failure` and state say so. */
  async verify(): Promise<void> {
    this.#mustVerify = true
    if (this.#session) await this.#check(this.#session.inbox, this.#life.signal)
  }

  async #run(life: AbortSignal, attempted: () => void): Promise<void> {
    await this.#parts.prepare?.().catch((error: unknown) => {
      this.#context.log.warn({ error: String(error) }, 'what comes before the XMTP inbox failed')
    })
    const session = await this.#open(life, attempted)
    if (!session) return
    const intake = new Intake<Inbound>({
      capacity: INTAKE_CAPACITY,
      clock: this.#context.clock,
      log: this.#context.log,
      deliver: (inbound) => this.#context.deliver(inbound),
      overflow: (full) => {
        this.#overflows = full
        this.#update()
      },
    })
    try {
      if (life.aborted) return
      this.#session = session
      this.#overflows = false
      const opened = Promise.withResolvers<void>()
      const listening = this.#listen(session.inbox, intake, life, opened.resolve)
      await Promise.all([this.#check(session.inbox, life), opened.promise])
      attempted()
      await Promise.all([listening, this.#watch(session.inbox, life)])
    } finally {
      this.#session = null
      await intake.stop()
      await session.close()
    }
  }

  /** Tries until the inbox is open; null when that was ended, or cannot come to anything on this machine. */
  async #open(life: AbortSignal, attempted: () => void): Promise<Session | null> {
    for (let tries = 1; !life.aborted; tries++) {
      try {
        const session = await openSession(this.#parts, life)
        this.#failure = null
        return session
      } catch (error) {
        if (life.aborted) return null
        this.#failed(toXmtpError(error), tries)
        attempted()
        if (this.#failure?.code === 'native-binding-missing') return null
        await this.#pause(pauseMs(tries, LONGEST_PAUSE_MS), life)
      }
    }
    return null
  }

  /** `attempted` is called when the first stream was opened, or was not. */
  async #listen(
    inbox: XmtpInbox,
    intake: Intake<Inbound>,
    life: AbortSignal,
    attempted: () => void,
  ): Promise<void> {
    const hear = (message: XmtpMessage) => {
      const isOwn = message.senderInboxId === inbox.inboxId
      const inbound = toInbound(message, 'stream', { own: inbox.inboxId, peer: null })
      if (isOwn) this.#clockAhead = message.sentAt.getTime() - this.#context.clock.now()
      if (inbound) intake.offer(message.conversationId, inbound)
    }
    const opened = () => {
      this.#listens = true
      this.#update()
      attempted()
    }
    for (let tries = 1; !life.aborted; tries++) {
      const since = this.#context.clock.monotonic()
      try {
        await inbox.listen({ opened, message: hear }, life)
      } catch (error) {
        this.#context.log.debug({ code: toXmtpError(error).code }, 'the stream of XMTP messages broke')
      }
      attempted()
      if (life.aborted) return
      if (this.#context.clock.monotonic() - since > LONGEST_PAUSE_MS) tries = 1
      this.#listens = false
      this.#answers = false
      this.#mustVerify = true
      this.#failure ??= new XmtpFailure('unavailable', 'The stream of XMTP messages broke')
      this.#update()
      this.#wake.abort()
      await this.#context.clock.sleep(pauseMs(tries, LONGEST_LISTEN_PAUSE_MS), life).catch(() => {
        // stopped: the loop's condition sees it
      })
    }
  }

  async #watch(inbox: XmtpInbox, life: AbortSignal): Promise<void> {
    for (let failures = 0; !life.aborted; failures = this.#answers ? 0 : failures + 1) {
      const { probeIntervalMs } = this.#parts.config
      await this.#pause(this.#answers ? probeIntervalMs : pauseMs(failures + 1, LONGEST_PAUSE_MS), life)
      if (!life.aborted) await this.#check(inbox, life)
    }
  }

  /** One call that tells whether the network answers. */
  async #check(inbox: XmtpInbox, life: AbortSignal): Promise<void> {
    const late = new AbortController()
    const timeout = this.#context.clock.sleep(CHECK_TIMEOUT_MS, late.signal).then(
      () => late.abort(),
      () => undefined,
    )
    const signal = AbortSignal.any([life, late.signal])
    try {
      await inbox.sync(signal)
      const now = this.#context.clock.monotonic()
      if (this.#mustVerify || now - this.#verifiedAt > VERIFY_EVERY_MS) {
        await requireAuthorized(inbox, signal)
        this.#mustVerify = false
        this.#verifiedAt = now
      }
      this.#answers = true
      this.#failure = null
    } catch (error) {
      if (life.aborted) return
      const failure = toXmtpError(error)
      // Held back by the gateway itself, which says nothing of the network.
      if (failure.code === 'rate-limited') return
      this.#answers = false
      this.#failure =
        failure.code === 'aborted' ? new XmtpFailure('unavailable', 'XMTP does not answer in time') : failure
    } finally {
      late.abort()
      await timeout
      if (!life.aborted) this.#update()
    }
  }

  /** Sleeps, and wakes early when a call failed or the connection is stopped. */
  async #pause(ms: number, life: AbortSignal): Promise<void> {
    this.#wake = new AbortController()
    await this.#context.clock.sleep(ms, AbortSignal.any([life, this.#wake.signal])).catch(() => {
      // woken early, or stopped: the loops' conditions see it
    })
  }

  #failed(failure: XmtpError, tries: number): void {
    this.#failure = failure
    this.#context.log.warn({ code: failure.code, tries }, 'the XMTP inbox cannot be opened')
    this.#update()
  }

  #update(): void {
    if (this.#life.signal.aborted) return
    if (this.#answers && this.#listens) {
      this.#report(
        this.#overflows
          ? { state: 'backfilling', reason: 'More messages came than could be stored; they are read again' }
          : { state: 'connected' },
      )
    } else if (this.#failure) this.#report(reportOf(this.#failure))
  }

  #report(report: StateReport): void {
    if (report.state === this.#last.state && report.reason === this.#last.reason) return
    this.#last = report
    this.#context.state(report)
  }
}

function reportOf(failure: XmtpError): StateReport {
  const userAction = operatorAction(failure.code)
  const told = { reason: failure.message, ...(userAction ? { userAction } : {}) }
  switch (failure.code) {
    case 'native-binding-missing':
      return { state: 'stopped', ...told }
    case 'installation-revoked':
      return { state: 'loggedOut', ...told }
    case 'database-key-wrong':
    case 'installation-limit':
    case 'protocol-retired':
      return { state: 'badCredentials', ...told }
    default:
      return { state: 'transientDisconnect', ...told }
  }
}

function pauseMs(tries: number, longest: number): number {
  return Math.min(longest, FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 10))
}

function abortedController(): AbortController {
  const controller = new AbortController()
  controller.abort()
  return controller
}
