/** The XMTP adapter: frames in and out as messages of the gateway's own inbox. */
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type Capabilities,
  type Receipt,
  type SendIntent,
} from '../../src/adapter/index.ts'
import { BackendPool } from './backends.ts'
import { MAX_FRAME_BYTES, toOutgoing } from './carriage.ts'
import { apiUrlOf, type XmtpConfig } from './config.ts'
import { Connection } from './connection.ts'
import { createDoctor } from './doctor.ts'
import { createEnrolments } from './enrolment/index.ts'
import { toAdapterError, XmtpError } from './errors.ts'
import { createHistory } from './history.ts'
import { Limiter } from './limiter.ts'
import { createOpaqueMirrors } from './opaque/index.ts'
import { SendFailure } from './sender.ts'
import type { Session, SessionParts } from './session.ts'
import { Strangers } from './strangers.ts'
import { inboxIdOfWallet, isInboxId, openWallet } from './wallet.ts'

/** Publishes a minute of the public network, and minutes of them that may go at once. */
const NETWORK_PUBLISHES_PER_MINUTE = 600
const BURST_MINUTES = 5

const capabilities: Capabilities = {
  maxFrameBytes: MAX_FRAME_BYTES,
  echo: true,
  history: true,
  lookup: true,
  idempotentSend: true,
  ephemeral: false,
  reachesAnyone: false,
  sharedAddresses: false,
}

/** Wires the adapter together. No input, output or native code before `start`. `load`: the SDK, for tests. */
export function createXmtpAdapter(
  config: XmtpConfig,
  context: AdapterContext,
  load?: SessionParts['load'],
): Adapter {
  const wallet = openWallet(config.walletKey)
  const { clock } = context
  const apiUrl = apiUrlOf(config)
  const pool = new BackendPool({ environment: config.environment, apiUrl, clock })
  const connection = new Connection({
    config,
    context,
    wallet,
    pool,
    publishes: publishLimiter(config, context),
    prepare: () => enrolments.sweep(),
    ...(load ? { load } : {}),
  })
  const enrolments = createEnrolments({ context, pool, ...(load ? { load } : {}) })
  const opaque = createOpaqueMirrors({ apiUrl }, context)
  const strangers = new Strangers(clock)

  function session(): Session {
    if (connection.session) return connection.session
    throw connection.failure ?? new XmtpError('closed', 'The XMTP inbox is not open; nothing was sent')
  }

  async function send(intent: SendIntent, signal: AbortSignal): Promise<Receipt> {
    const outgoing = toOutgoing(intent)
    const { sender } = session()
    // Stored now, it would go out at a time when nobody expects it any more.
    if (connection.failure) throw connection.failure
    strangers.refuse(outgoing.to)
    try {
      return { remoteIds: [await sender.send(outgoing, AbortSignal.any([signal, connection.lifetime]))] }
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error
      connection.observe(error.cause)
      strangers.learn(outgoing.to, error.cause)
      if (error.cause.code === 'conversation-inactive') await refuseRevoked()
      throw toAdapterError(error.cause, error.stage)
    }
  }

  /** Conversations become inactive one by one when this installation was revoked, through no fault of the recipients. */
  async function refuseRevoked(): Promise<void> {
    await connection.verify()
    if (connection.failure?.code === 'installation-revoked') throw connection.failure
  }

  return {
    async start(signal) {
      if (!signal.aborted) opaque.start()
      await connection.start(signal)
    },
    async stop() {
      await Promise.all([connection.stop(), enrolments.stop(), opaque.stop()])
    },
    capabilities: () => capabilities,
    async send(intent, signal) {
      try {
        return await send(intent, signal)
      } catch (error) {
        throw AdapterError.is(error) ? error : toAdapterError(error)
      }
    },
    describe: () => ({
      environment: config.environment,
      apiUrl,
      gatewayInboxId: connection.session?.inbox.inboxId ?? wallet.inboxId,
      gatewayAddress: wallet.address,
    }),
    history: createHistory({ session, lifetime: () => connection.lifetime }),
    identity: {
      addressOf: inboxIdOfWallet,
      isAddress: isInboxId,
      ownAddress: () => connection.session?.inbox.inboxId ?? wallet.inboxId,
    },
    enrolment: enrolments,
    opaque,
    doctor: createDoctor({ config, context, wallet, connection, ...(load ? { load } : {}) }),
  }
}

function publishLimiter(config: XmtpConfig, { clock }: AdapterContext): Limiter | null {
  const limit =
    config.publishesPerMinute ?? (config.environment === 'local' ? null : NETWORK_PUBLISHES_PER_MINUTE)
  return limit === null ? null : new Limiter({ burst: limit * BURST_MINUTES, perMinute: limit, clock })
}
