import type { AdapterState, StateReport } from '../adapter/index.ts'
import { createAcceptor } from './accept.ts'
import { createArrivals } from './arrivals.ts'
import { createConsents } from './consent.ts'
import { createConversations } from './conversations.ts'
import { RelayError } from './errors.ts'
import { createFrames } from './frames.ts'
import { createHeld } from './held.ts'
import { createNativeIntake } from './hop-in.ts'
import { createHopSends } from './hop-out.ts'
import { createJourneys } from './journey.ts'
import { createLoopGuard } from './loop-guard.ts'
import { createMirrorKeeper, type MirrorKeeper } from './mirrors.ts'
import { createNativeReceipts } from './native-receipts.ts'
import { createOutbox } from './outbox.ts'
import { createParcels } from './parcels.ts'
import type { RelayContext, RelayParts, Vault } from './parts.ts'
import { createPlanner } from './planner.ts'
import { createRanking } from './ranking.ts'
import { createResolver } from './recipients.ts'
import { createReconciler } from './reconcile.ts'
import { createSignatureVerifier } from './signatures.ts'
import type { Relay, RelayObserver } from './types.ts'

const silentObserver: RelayObserver = {
  accepted: () => {},
  dispatched: () => {},
  reconciled: () => {},
  networkState: () => {},
}

/** Without a key nothing of a wallet's is kept. */
const noVault: Vault = {
  wrap() {
    throw new RelayError('mirror-unsupported', 'This gateway has no master key, and keeps no registrations')
  },
  unwrap() {
    throw new Error('there is no master key')
  },
}

/** What a network's state means for its deliveries. */
const CONNECTIONS: Record<AdapterState, 'up' | 'opening' | 'down'> = {
  starting: 'opening',
  connecting: 'opening',
  backfilling: 'up',
  connected: 'up',
  transientDisconnect: 'down',
  badCredentials: 'down',
  loggedOut: 'down',
  stopped: 'down',
}

/**
 * Assembles the relay. Nothing runs before `start`.
 *
 * Start it before the networks and stop it before them: a frame that is heard while it does not run is turned away, so that
 * its network keeps it.
 *
 * @example
 * const networks = createNetworks({ ..., deliver: (network, inbound) => relay.hear(network, inbound) })
 * const relay = createRelay({ gateway, store, trust, directory, networks, live, clock, random, log, settings })
 * await relay.start()
 * await networks.start()
 */
export function createRelay(parts: RelayParts): Relay {
  const context: RelayContext = {
    verify: createSignatureVerifier(),
    admission: { admit: () => {} },
    observer: silentObserver,
    vault: noVault,
    hop: null,
    consents: createConsents(parts),
    ...parts,
  }
  const { store, networks, clock, observer, log } = context
  const ranking = createRanking(clock)
  const planner = createPlanner(context, ranking)
  const frames = createFrames(context)
  const sends = context.hop && createHopSends(context, context.hop, frames)
  const outbox = createOutbox(context, frames, ranking, sends, (parcel) => mirrors.isMirrored(parcel))
  const guard = createLoopGuard(context.gateway, store)
  const arrivals = createArrivals(context, { guard, frames, outbox })
  const resolver = createResolver(context, planner)
  const held = createHeld(context, { frames, outbox, resolver })
  const acceptor = createAcceptor(context, { guard, arrivals, frames, outbox, resolver, held })
  const receipts = context.hop && sends && createNativeReceipts(context, context.hop, sends)
  const intake =
    context.hop &&
    sends &&
    receipts &&
    createNativeIntake(context, context.hop, { arrivals, frames, outbox, resolver, held, sends, receipts })
  const mirrors: MirrorKeeper = createMirrorKeeper(
    context,
    createParcels(context, { frames, outbox, planner }),
  )
  const journeys = createJourneys(context, outbox)
  const states = new Map<string, AdapterState>()
  const entering = new Set<Promise<unknown>>()
  let state: 'new' | 'running' | 'stopped' = 'new'
  let stopListening = () => {}

  /** Work that changes the store: none starts when the relay does not run, and `stop` waits for what has started. */
  async function enter<T>(work: () => Promise<T>): Promise<T> {
    if (state !== 'running')
      throw new RelayError('relay-stopping', 'The gateway is not running; try again later')
    const running = work()
    entering.add(running)
    try {
      return await running
    } finally {
      entering.delete(running)
    }
  }

  const hear: Relay['hear'] = (network, inbound) => enter(() => acceptor.hear(network, inbound))
  const reconciler = createReconciler(context, hear)
  const conversations = createConversations(context, {
    held,
    journeys,
    receipts,
    inBackground(what, work) {
      enter(work).catch((error: unknown) => log.warn({ error }, `${what} failed`))
    },
  })

  function onState(network: string, report: StateReport): void {
    observer.networkState(network, report)
    const before = states.get(network)
    states.set(network, report.state)
    const connection = CONNECTIONS[report.state]
    outbox.connection(network, connection)
    ranking.connection(network, connection === 'up')
    mirrors.connection(network)
    if (report.state === 'connected' && before !== 'connected') reconciler.connected(network)
  }

  return {
    async start() {
      if (state !== 'new') throw new RelayError('relay-stopping', 'A relay starts once')
      state = 'running'
      // What is sent of a parcel depends on its mirror.
      await mirrors.start()
      await outbox.start()
      await reconciler.start()
      stopListening = networks.onState(onState)
      for (const status of networks.list()) onState(status.network, status)
    },
    async stop(signal) {
      if (state === 'stopped') return
      state = 'stopped'
      stopListening()
      await Promise.all([
        mirrors.stop(),
        reconciler.stop(),
        outbox.stop(signal, Promise.allSettled(entering)),
      ])
    },
    submit: (input) => enter(() => acceptor.submit(input)),
    hear,
    hearNative: (network, inbound) =>
      enter(async () => intake?.hear(network, inbound) ?? { outcome: 'refused', code: 'enrolment-unknown' }),
    hearOpaque: (network, inbound) => enter(() => mirrors.hear(network, inbound)),
    mirrors: {
      put: (wallet, network, registration) => enter(() => mirrors.put(wallet, network, registration)),
      remove: (wallet, network) => enter(() => mirrors.remove(wallet, network)),
      list: mirrors.list,
    },
    conversations: {
      read: (wallet, conversation, through) => enter(() => conversations.read(wallet, conversation, through)),
      choose: (choice) => enter(() => conversations.choose(choice)),
      settings: conversations.settings,
      setSettings: (wallet, settings) => enter(() => conversations.setSettings(wallet, settings)),
    },
    reconcile: (network, signal) => enter(() => reconciler.walk(network, signal)),
    receipts: (wallet, receipts) => enter(() => journeys.receipts(wallet, receipts)),
    journey: journeys.journey,
    async explain(envelope, wallets) {
      const [deliveries, served] = await Promise.all([
        store.deliveriesOf(envelope.id),
        context.directory.servedAmong(wallets),
      ])
      const { id: envelopeId, receivedAt: at, via, mode } = envelope
      return Promise.all(
        wallets.map(async (wallet) => {
          const planned = {
            envelopeId,
            at,
            via,
            mode,
            deliveries: deliveries.filter((one) => one.wallet === wallet),
          }
          // A parcel names nobody: its recipient stands in for the sender.
          const sender = mode === 'opaque' ? null : envelope.from
          const endpoints = await resolver.endpointsOf(wallet, served.has(wallet))
          return planner.explain({ wallet, sender, endpoints, planned })
        }),
      )
    },
    async explainRoute(wallet, sender) {
      const endpoints = await resolver.endpointsOf(wallet, await context.directory.isServed(wallet))
      return planner.explain({ wallet, sender, endpoints, planned: null })
    },
    replay: (deliveryId) =>
      enter(async () => {
        const delivery = await store.getDelivery(deliveryId)
        if (!delivery) throw new RelayError('delivery-unknown', 'There is no delivery with this number')
        const envelope = await store.getEnvelope(delivery.envelopeId)
        const expired = !envelope || (envelope.expiresAt !== 0 && envelope.expiresAt <= clock.now())
        const at = clock.now()
        const result = expired
          ? { moved: false, delivery }
          : await store.moveDelivery({
              id: deliveryId,
              from: ['dead', 'superseded'],
              to: 'pending',
              attempt: 0,
              nextAt: null,
              reason: null,
              checkpoint: {
                name: 'dispatched',
                status: 'willRetry',
                at,
                monotonic: clock.monotonic(),
                detail: 'replayed',
              },
              at,
            })
        if (!result.moved || !result.delivery) {
          throw new RelayError(
            'delivery-not-replayable',
            'Only dead and superseded deliveries of envelopes that have not expired can be sent again',
          )
        }
        outbox.again(result.delivery)
        return result.delivery
      }),
  }
}
