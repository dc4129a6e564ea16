/** The gateway's identity service: sign-in, sessions, device trust, prekeys, address map and routes. */
import type { Clock, Random } from '../adapter/index.ts'
import { type VerifyEd25519, verifyEd25519 } from '../envelope/index.ts'
import type { IdentityStore, Route } from '../store/port.ts'
import { createAddressMap } from './address-map.ts'
import { walletsNamed } from './caip.ts'
import type { ContractVerifier } from './contract-signature.ts'
import { requireDomain } from './domain.ts'
import { currentPrekeys, readPrekeys } from './prekey-intake.ts'
import { ReadThrough } from './read-through.ts'
import { createSignIn, hashToken } from './sign-in.ts'
import { createTrust } from './trust.ts'
import type { Identity, NetworkAddresses, Session } from './types.ts'
import { createWalletVerifier, type VerifyWallet } from './wallet-signature.ts'

export interface IdentityOptions {
  store: IdentityStore
  /** Domain in the texts that wallets sign: a lower-case host with an optional port. */
  domain: string
  /** Domains of other gateways whose device certificates count here. This gateway's own always does. */
  trustedDomains: readonly string[]
  clock: Pick<Clock, 'now'>
  random: Pick<Random, 'bytes'>
  /** Life of a bearer token, milliseconds. It ends with the device's certificate at the latest. */
  sessionTtlMs: number
  /** How long a text waits for its signature, milliseconds. */
  challengeTtlMs: number
  networks: NetworkAddresses
  /** Route of wallets that have not chosen one. */
  defaultRoute: Route
  /** Nodes that are asked about the signatures of smart accounts. Default: none, and smart accounts cannot sign in. */
  contracts?: ContractVerifier
  /** The same for certificates that strangers send along. Apart, so that these do not keep anyone from signing in. */
  strangersContracts?: ContractVerifier
  verifyWallet?: VerifyWallet
  /** Checks device signatures of prekeys. */
  verifyDevice?: VerifyEd25519
}

const CACHED_SESSIONS = 10_000
const TOKEN = /^[-_A-Za-z0-9]{43}$/

/** Makes the identity service over a store that is open. Errors: `domain-malformed`. */
export function createIdentity(options: IdentityOptions): Identity {
  const { store, clock, random, networks, defaultRoute, contracts, verifyDevice = verifyEd25519 } = options
  const verifyWallet = options.verifyWallet ?? createWalletVerifier(contracts ? { contracts } : {})
  const domain = requireDomain(options.domain)
  const now = () => clock.now()
  const { strangersContracts = contracts } = options
  const trust = createTrust({
    store,
    trustedDomains: [domain, ...options.trustedDomains],
    verifyWallet:
      options.verifyWallet ??
      createWalletVerifier(strangersContracts ? { contracts: strangersContracts } : {}),
  })
  const addresses = createAddressMap({ store, networks, defaultRoute, now })
  const sessions = new ReadThrough({
    max: CACHED_SESSIONS,
    load: (hash) => store.getSession(hash, now()),
    keep: (session) => session !== null,
  })

  const { challenge, verify } = createSignIn({
    store,
    trust,
    domain,
    now,
    random,
    sessionTtlMs: options.sessionTtlMs,
    challengeTtlMs: options.challengeTtlMs,
    verifyWallet,
    contracts,
    ended: () => sessions.forgetAll(),
  })

  async function authenticate(token: string): Promise<Session | null> {
    if (!TOKEN.test(token)) return null
    const session = await sessions.get(hashToken(token))
    if (session === null || session.expiresAt <= now()) return null
    const { wallet, account, device, expiresAt } = session
    return { wallet, account, device, expiresAt }
  }

  return {
    challenge,
    async verify(input, signal) {
      const signedIn = await verify(input, signal)
      if (signedIn.token !== null) await addresses.deriveEndpoints(signedIn.wallet)
      return signedIn
    },
    authenticate,
    async signOut(token) {
      const tokenHash = hashToken(token)
      await store.deleteSession(tokenHash)
      sessions.forget(tokenHash)
    },
    async publishPrekeys(session, prekeys) {
      const stored = await readPrekeys(prekeys, { session, now: now(), verifyDevice })
      await store.putPrekeys(stored)
      return stored.length
    },
    async keys(wallet) {
      const at = now()
      const [{ log, entries }, prekeys] = await Promise.all([trust.keyLog(wallet), store.prekeys(wallet, at)])
      return { log: [...entries], prekeys: currentPrekeys(prekeys, log, at) }
    },
    setEndpoint: (session, input) => addresses.setEndpoint(session.wallet, input),
    setRoute: (session, route) => addresses.setRoute(session.wallet, route),
    async findWallet(text) {
      const [first, plain] = walletsNamed(text)
      if (plain === undefined) return first
      return (await trust.keyLog(first)).log.head === null ? plain : first
    },
    allEndpoints: addresses.allEndpoints,
    endpoints: addresses.endpoints,
    route: addresses.route,
    ruleFor: addresses.ruleFor,
    isServed: addresses.isServed,
    servedAmong: addresses.servedAmong,
    deviceStatus: trust.deviceStatus,
    certificateOf: trust.certificateOf,
  }
}
