/** The address map and the routes: where each wallet is reached, and in which order. */
import { LRUCache } from 'lru-cache'
import { isWalletKey } from '../envelope/index.ts'
import type { IdentityStore, Route, RouteRule, StoredEndpoint } from '../store/port.ts'
import { IdentityError } from './errors.ts'
import { ReadThrough } from './read-through.ts'
import type { AppliedRule, Directory, NetworkAddresses } from './types.ts'

const CACHED_WALLETS = 10_000

/** Wallets for which a route may have rules of their own. */
export const MAX_OVERRIDES = 200

/** Longest wait of a fallback route for an acknowledgement, milliseconds. */
export const MAX_FALLBACK_AFTER_MS = 60 * 60 * 1000

export interface AddressMap extends Directory {
  allEndpoints(wallet: string): Promise<StoredEndpoint[]>
  setEndpoint(
    wallet: string,
    input: { network: string; address?: string; enabled: boolean },
  ): Promise<StoredEndpoint>
  setRoute(wallet: string, route: Route): Promise<Route>
  /** Brings the endpoints that follow from the wallet alone up to date, and answers all of its endpoints. */
  deriveEndpoints(wallet: string): Promise<StoredEndpoint[]>
}

export function createAddressMap(options: {
  store: IdentityStore
  networks: NetworkAddresses
  defaultRoute: Route
  now: () => number
}): AddressMap {
  const { store, networks, defaultRoute, now } = options
  /** Only those that are: who is not may be tomorrow, and who is stays so. */
  const served = new LRUCache<string, true>({ max: CACHED_WALLETS })
  const stored = new ReadThrough({ max: CACHED_WALLETS, load: (wallet) => store.endpoints(wallet) })
  const routes = new ReadThrough({ max: CACHED_WALLETS, load: (wallet) => store.getRoute(wallet) })

  async function put(endpoint: StoredEndpoint): Promise<'done' | 'taken'> {
    const outcome = await store.putEndpoint(endpoint)
    stored.forget(endpoint.wallet)
    return outcome
  }

  async function putDerived(endpoint: StoredEndpoint): Promise<'done' | 'taken'> {
    if ((await put(endpoint)) === 'done') return 'done'
    await releaseAddress(endpoint)
    return put(endpoint)
  }

  /** An address that is derived from a wallet belongs to that wallet: whoever chose it before goes back to their own. */
  async function releaseAddress({ wallet, network, address }: StoredEndpoint): Promise<void> {
    for (const holder of await store.walletsAt(network, address)) {
      const own = derivedEndpoint(holder, network)
      if (holder !== wallet && own !== undefined && own.address !== address) await put(own)
    }
  }

  function derivedEndpoints(wallet: string): StoredEndpoint[] {
    return networks.derived(wallet).map(({ network, address, exclusive }) => {
      return { wallet, network, address, exclusive, enabled: true, source: 'derived', updatedAt: now() }
    })
  }

  function derivedEndpoint(wallet: string, network: string): StoredEndpoint | undefined {
    return derivedEndpoints(wallet).find((endpoint) => endpoint.network === network)
  }

  /** Also follows a network that derives its addresses in a new way; what a wallet chose, and switched off, stays. */
  async function deriveEndpoints(wallet: string): Promise<StoredEndpoint[]> {
    const known = await stored.get(wallet)
    const changed = derivedEndpoints(wallet).flatMap((derived) => {
      const current = known.find(({ network }) => network === derived.network)
      if (current === undefined) return [derived]
      const upToDate = current.source === 'chosen' || current.address === derived.address
      return upToDate ? [] : [{ ...derived, enabled: current.enabled }]
    })
    if (changed.length === 0) return known
    for (const endpoint of changed) await putDerived(endpoint)
    return stored.get(wallet)
  }

  async function servedAmong(wallets: readonly string[]): Promise<Set<string>> {
    const known = wallets.filter((wallet) => served.get(wallet))
    if (known.length === wallets.length) return new Set(known)
    const found = await store.servedAmong(wallets.filter((wallet) => !known.includes(wallet)))
    for (const wallet of found) served.set(wallet, true)
    return new Set([...known, ...found])
  }

  const isServed = async (wallet: string) => (await servedAmong([wallet])).has(wallet)

  /** Networks may have joined since the wallet signed in, so reading a served wallet's endpoints derives what is missing. */
  async function allEndpoints(wallet: string): Promise<StoredEndpoint[]> {
    return (await isServed(wallet)) ? deriveEndpoints(wallet) : []
  }

  async function chosenEndpoint(
    wallet: string,
    input: { network: string; address?: string; enabled: boolean },
  ): Promise<StoredEndpoint> {
    const { network, address, enabled } = input
    const derived = derivedEndpoint(wallet, network)
    if (address === undefined) {
      const current = (await stored.get(wallet)).find((endpoint) => endpoint.network === network)
      const endpoint = enabled ? (derived ?? current) : (current ?? derived)
      if (endpoint === undefined) {
        throw new IdentityError(
          'endpoint-address-invalid',
          `A wallet has no address of its own on ${network}: send the address to use`,
        )
      }
      return { ...endpoint, enabled, updatedAt: now() }
    }
    if (!networks.isAddress(network, address)) {
      throw new IdentityError(
        'endpoint-address-invalid',
        `The address has not the form of an address on ${network}`,
      )
    }
    // Where addresses follow from wallets, another one is someone else's: messages would go to them.
    if (derived?.exclusive && derived.address !== address) {
      throw new IdentityError(
        'endpoint-address-invalid',
        `On ${network} the address follows from the wallet: leave the address out`,
      )
    }
    const source = derived?.address === address ? 'derived' : 'chosen'
    const exclusive = derived?.exclusive ?? true
    return { wallet, network, address, enabled, source, exclusive, updatedAt: now() }
  }

  return {
    deriveEndpoints,
    allEndpoints,
    isServed,
    servedAmong,
    async endpoints(wallet) {
      const all = await allEndpoints(wallet)
      return all.filter(({ network, enabled }) => enabled && networks.isEnabled(network))
    },
    async route(wallet) {
      return (await routes.get(wallet)) ?? defaultRoute
    },
    async ruleFor(recipient, sender) {
      const own = await routes.get(recipient)
      const override = overrideFor(own, sender)
      if (override) return applied(override, 'override')
      if (own) return applied(own, 'own')
      const asked = sender === null ? null : overrideFor(await routes.get(sender), recipient)
      return asked ? applied(asked, 'sender') : applied(defaultRoute, 'default')
    },
    async setEndpoint(wallet, input) {
      requireNetwork(networks, input.network)
      const endpoint = await chosenEndpoint(wallet, input)
      const outcome = await (endpoint.source === 'derived' ? putDerived(endpoint) : put(endpoint))
      if (outcome === 'taken') {
        throw new IdentityError(
          'endpoint-taken',
          `Another wallet is reached at this address on ${input.network}`,
        )
      }
      return endpoint
    },
    async setRoute(wallet, route) {
      const checked = checkRoute(route, networks)
      await store.putRoute(wallet, checked)
      routes.forget(wallet)
      return checked
    },
  }
}

function requireNetwork(networks: NetworkAddresses, network: string): void {
  if (!networks.isEnabled(network)) {
    throw new IdentityError(
      'network-not-enabled',
      'This network is not enabled here; GET /v1/networks lists those that are',
    )
  }
}

function overrideFor(route: Route | null, peer: string | null): RouteRule | undefined {
  return route?.overrides?.find((override) => override.peer === peer)
}

function applied({ policy, order, fallbackAfterMs }: RouteRule, source: AppliedRule['source']): AppliedRule {
  return { policy, order, fallbackAfterMs, source }
}

/** Returns the route without anything beside its members. Errors: `route-invalid`, `network-not-enabled`. */
function checkRoute(route: Route, networks: NetworkAddresses): Route {
  const rule = checkRule(route, networks)
  const { overrides = [] } = route
  if (overrides.length === 0) return rule
  if (overrides.length > MAX_OVERRIDES)
    throw invalidRoute(`at most ${MAX_OVERRIDES} wallets have a rule of their own`)
  if (new Set(overrides.map(({ peer }) => peer)).size !== overrides.length) {
    throw invalidRoute('each wallet has one override at most')
  }
  return {
    ...rule,
    overrides: overrides.map((override) => {
      if (!isWalletKey(override.peer)) throw invalidRoute('the peer of an override is a walletKey')
      return { peer: override.peer, ...checkRule(override, networks) }
    }),
  }
}

function checkRule({ policy, order, fallbackAfterMs }: RouteRule, networks: NetworkAddresses): RouteRule {
  if (policy !== 'mirror' && policy !== 'fallback') throw invalidRoute('the policy is mirror or fallback')
  const inBounds = fallbackAfterMs >= 0 && fallbackAfterMs <= MAX_FALLBACK_AFTER_MS
  if (!Number.isSafeInteger(fallbackAfterMs) || !inBounds) {
    throw invalidRoute(`fallbackAfterMs is an integer from 0 to ${MAX_FALLBACK_AFTER_MS}`)
  }
  if (order === 'ranked') return { policy, order, fallbackAfterMs }
  if (!Array.isArray(order) || order.length === 0 || new Set(order).size !== order.length) {
    throw invalidRoute('the order is "ranked", or a list that names each network once')
  }
  for (const network of order) requireNetwork(networks, network)
  return { policy, order: [...order], fallbackAfterMs }
}

function invalidRoute(reason: string): IdentityError {
  return new IdentityError('route-invalid', `The route is not valid: ${reason}`)
}
