/** The TRTC adapter: REST calls out, webhooks in, history for what was missed. */
import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type Capabilities,
  type Endpoint,
  type Receipt,
  type SendIntent,
} from '../../src/adapter/index.ts'
import { createAccounts, isUserId, userIdOf } from './accounts.ts'
import { encodeMessage, MAX_FRAME_BYTES, messageNumbers } from './carriage.ts'
import { regionOf, type TrtcConfig } from './config.ts'
import { createConnection } from './connection.ts'
import { createDoctor } from './doctor.ts'
import { createEnrolments } from './enrolment/index.ts'
import { missingAccountCodes } from './errors.ts'
import { createHistory, remoteIdsOf } from './history.ts'
import { createRestClient, type SendMessageRequest } from './rest.ts'
import { makeUserSig } from './usersig.ts'
import { createWebhook } from './webhook.ts'

/** Transactions remembered in memory, to know an echo and to know how far back to look for an uncertain one. */
const REMEMBERED_TRANSACTIONS = 20_000
/** Users remembered as online. */
const REMEMBERED_USERS = 100_000

const capabilities: Capabilities = {
  maxFrameBytes: MAX_FRAME_BYTES,
  echo: true,
  history: true,
  lookup: true,
  idempotentSend: true,
  ephemeral: true,
  reachesAnyone: true,
  sharedAddresses: false,
}

/** Wires the adapter together. No call is made before `start`. */
export function createTrtcAdapter(config: TrtcConfig, context: AdapterContext): Adapter {
  const rest = createRestClient(config, context, (error) => connection.observe(error))
  const connection = createConnection(
    {
      ...context,
      state(report) {
        context.state(report)
        enrolments.connection(report)
      },
    },
    (signal) => rest.existingAccounts([config.adminUserId], signal),
    config.probeIntervalMs,
  )
  const accounts = createAccounts(rest, context.storage, connection.lifetime)
  /** Transactions sent by this process, with the time of the first attempt where this process made it. */
  const sentAt = new Map<string, number | null>()
  const online = new Set<string>()
  const addressOf = (wallet: string) => userIdOf(wallet, config.userIdSecret)

  /** A message to oneself comes from the administrator: whether a user may write to itself is not documented. */
  function senderOf(intent: SendIntent): string {
    const sender = addressOf(intent.from.wallet)
    return sender === intent.to.address ? config.adminUserId : sender
  }

  const enrolments = createEnrolments({
    config,
    context,
    rest,
    accounts,
    addressOf,
    whileStarted,
    connectionState: () => connection.state(),
  })
  const history = createHistory({
    rest,
    clock: context.clock,
    senderOf,
    firstAttemptAt: (transactionId) => sentAt.get(transactionId) ?? null,
  })
  const webhook = createWebhook({
    config,
    clock: context.clock,
    log: context.log,
    isOpen: () => !connection.lifetime().aborted,
    deliver: (inbound) => context.deliver(inbound),
    natives: enrolments.intake,
    lifetime: () => connection.lifetime(),
    isOwnTransaction: (transactionId) => sentAt.has(transactionId),
    presence(userId, isOnline) {
      online.delete(userId)
      if (isOnline) remember(online, userId, REMEMBERED_USERS)
    },
    // Its message is in history, dated by the clock that made the call old.
    stale: (serviceTime) => rest.observeServiceTime(serviceTime),
  })

  async function ensureAccounts(userIds: string[], signal: AbortSignal): Promise<void> {
    const wallets = userIds.filter((userId) => userId !== config.adminUserId)
    await Promise.all(wallets.map((userId) => accounts.ensure(userId, signal)))
  }

  async function send(intent: SendIntent, signal: AbortSignal): Promise<Receipt> {
    const request = requestFor(intent, senderOf(intent))
    const parties = [request.From_Account, request.To_Account]
    await ensureAccounts(parties, signal)
    if (!sentAt.has(intent.transactionId)) {
      sentAt.set(intent.transactionId, intent.attempt === 1 ? context.clock.now() : null)
      if (sentAt.size > REMEMBERED_TRANSACTIONS) deleteFirst(sentAt)
    }
    try {
      return { remoteIds: remoteIdsOf(await rest.sendMessage(request, signal)) }
    } catch (error) {
      if (!AdapterError.is(error) || !missingAccountCodes.has(error.remoteCode ?? '')) throw error
      // The accounts were made once, but the service does not know them (any more): make them again, once.
      await Promise.all(parties.map((userId) => accounts.forget(userId)))
      await ensureAccounts(parties, signal)
      return { remoteIds: remoteIdsOf(await rest.sendMessage(request, signal)) }
    }
  }

  /** Ends a call with the adapter, and passes nothing but `AdapterError` on. */
  async function whileStarted<T>(signal: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const lifetime = connection.lifetime()
    if (lifetime.aborted) {
      throw new AdapterError('retryable', 'The TRTC adapter is not started', { remoteCode: 'aborted' })
    }
    try {
      return await call(AbortSignal.any([signal, lifetime]))
    } catch (error) {
      if (AdapterError.is(error)) throw error
      throw new AdapterError('retryable', 'The call to TRTC failed before it was sent', { cause: error })
    }
  }

  async function issue(endpoint: Endpoint, signal: AbortSignal): Promise<Record<string, string | number>> {
    const userId = requireOwn(endpoint, addressOf)
    await accounts.ensure(userId, signal)
    const now = context.clock.now()
    const lifetimeSeconds = config.credentialLifetimeSeconds
    const { sdkAppId, secretKey } = config
    return {
      sdkAppId,
      userId,
      userSig: makeUserSig({ sdkAppId, secretKey, userId, lifetimeSeconds, now }),
      expiresAt: (Math.floor(now / 1000) + lifetimeSeconds) * 1000,
      ...(config.proxyServer ? { proxyServer: config.proxyServer } : {}),
    }
  }

  return {
    start: (signal) => connection.start(signal),
    async stop() {
      enrolments.stop()
      await connection.stop()
    },
    capabilities: () => capabilities,
    send: (intent, signal) => whileStarted(signal, (either) => send(intent, either)),
    describe: () => ({
      sdkAppId: config.sdkAppId,
      region: config.region ?? regionOf(config.sdkAppId),
      ...(config.proxyServer ? { proxyServer: config.proxyServer } : {}),
      online: online.size,
    }),
    history: {
      walk: (query, signal) => history.walk(query, AbortSignal.any([signal, connection.lifetime()])),
      find: (intent, signal) => whileStarted(signal, (either) => history.find(intent, either)),
    },
    webhook,
    identity: {
      addressOf,
      isAddress: (address) => isUserId(address) || address === config.adminUserId,
      ownAddress: () => config.adminUserId,
      provision: (endpoint, signal) =>
        whileStarted(signal, (either) => accounts.ensure(requireUserId(endpoint.address), either)),
    },
    credentials: { issue: (endpoint, signal) => whileStarted(signal, (either) => issue(endpoint, either)) },
    enrolment: enrolments,
    doctor: createDoctor({ config, rest, accounts, webhook, clock: context.clock }),
  }
}

function requestFor(intent: SendIntent, sender: string): SendMessageRequest {
  if (intent.frame.length > MAX_FRAME_BYTES) {
    throw new AdapterError(
      'tooLarge',
      `The frame is over ${MAX_FRAME_BYTES} bytes, the most that TRTC carries`,
    )
  }
  return {
    From_Account: sender,
    To_Account: requireUserId(intent.to.address),
    ...messageNumbers(intent.transactionId),
    ...encodeMessage(intent.frame, intent.envelopeId, intent.transactionId),
    SyncOtherMachine: 1,
    // What the gateway sends itself must not come back to it.
    ForbidCallbackControl: ['ForbidBeforeSendMsgCallback', 'ForbidAfterSendMsgCallback'],
    ...(intent.ephemeral ? { MsgLifeTime: 0 } : {}),
    ...(intent.silent ? { SendMsgControl: ['WithMuteNotifications'], OfflinePushInfo: { PushFlag: 1 } } : {}),
  }
}

function requireUserId(address: string): string {
  if (isUserId(address)) return address
  throw new AdapterError('permanent', 'Not a TRTC userID: 32 characters of a-z and 2-7 are expected', {
    remoteCode: 'address-invalid',
  })
}

/** A UserSig lets its holder act as the user, so it is made for the wallet's own userID only. */
function requireOwn(endpoint: Endpoint, addressOf: (wallet: string) => string): string {
  if (endpoint.address === addressOf(endpoint.wallet)) return endpoint.address
  throw new AdapterError('permanent', "Not the wallet's own TRTC userID", { remoteCode: 'address-invalid' })
}

function remember(set: Set<string>, value: string, limit: number): void {
  set.add(value)
  if (set.size > limit) deleteFirst(set)
}

/** Removes the entry that was added first. */
function deleteFirst(collection: Set<string> | Map<string, number | null>): void {
  for (const key of collection.keys()) {
    collection.delete(key)
    return
  }
}
