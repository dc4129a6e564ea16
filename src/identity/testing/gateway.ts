/** An identity service on a real store, with a clock that tests move by hand. */

import { H, toHex } from '../../envelope/index.ts'
import type { IdentityStore, Route } from '../../store/port.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import { createIdentity, type IdentityOptions } from '../service.ts'
import type { Identity, NetworkAddresses, Session, SignedIn } from '../types.ts'
import { DOMAIN, START, type TestWallet, testDevice } from './wallets.ts'

export const DEFAULT_ROUTE: Route = { policy: 'mirror', order: ['fast', 'shared'], fallbackAfterMs: 5000 }

export interface TestGateway {
  identity: Identity
  store: IdentityStore
  /** Moves the clock, milliseconds. */
  pass(milliseconds: number): void
  now(): number
  networks: TestNetworks
  /** Another service over the same store, as after a restart. */
  restarted(changes?: Partial<IdentityOptions>): Identity
  close(): Promise<void>
}

/** `fast`: one derived address for each wallet. `shared`: buckets. `chosen`: nothing derived. `later` can be enabled. */
export class TestNetworks implements NetworkAddresses {
  readonly enabled = new Set(['fast', 'shared', 'chosen'])
  /** Another version derives other addresses. */
  version = '1'

  derived(wallet: string): { network: string; address: string; exclusive: boolean }[] {
    const all = [
      { network: 'fast', address: toHex(H('fast', this.version, wallet)).slice(0, 32), exclusive: true },
      { network: 'shared', address: `bucket-${H('shared', wallet)[0]! % 2}`, exclusive: false },
      { network: 'later', address: toHex(H('later', wallet)).slice(0, 32), exclusive: true },
    ]
    return all.filter(({ network }) => this.enabled.has(network))
  }

  isAddress(network: string, address: string): boolean {
    return network === 'shared' ? /^bucket-[01]$/.test(address) : /^[0-9a-f]{32}$/.test(address)
  }

  isEnabled(network: string): boolean {
    return this.enabled.has(network)
  }
}

export async function startTestGateway(changes: Partial<IdentityOptions> = {}): Promise<TestGateway> {
  const store = createSqliteStore({ path: ':memory:' })
  await store.open()
  let now = START
  const networks = new TestNetworks()
  const options: IdentityOptions = {
    store,
    domain: DOMAIN,
    trustedDomains: [],
    clock: { now: () => now },
    random: { bytes: (length) => crypto.getRandomValues(new Uint8Array(length)) },
    sessionTtlMs: 7 * 24 * 60 * 60 * 1000,
    challengeTtlMs: 5 * 60 * 1000,
    networks,
    defaultRoute: DEFAULT_ROUTE,
    ...changes,
  }
  return {
    identity: createIdentity(options),
    store,
    networks,
    now: () => now,
    pass(milliseconds) {
      now += milliseconds
    },
    restarted: (more = {}) => createIdentity({ ...options, ...more }),
    close: () => store.close(),
  }
}

export type TestDevice = ReturnType<typeof testDevice>

/** A challenge and the wallet's signature over its text. */
export async function signedChallenge(
  identity: Identity,
  owner: TestWallet,
  device: TestDevice,
  action: 'add' | 'revoke' = 'add',
): Promise<{ challengeId: string; signature: string; message: string; entry: Uint8Array }> {
  const { challengeId, message, entry } = await identity.challenge({
    wallet: owner.accountText,
    device,
    action,
  })
  return { challengeId, signature: await owner.signer.signMessage(message), message, entry }
}

export async function signIn(
  identity: Identity,
  owner: TestWallet,
  device: TestDevice = testDevice(),
): Promise<SignedIn & { token: string; session: Session; device: TestDevice }> {
  const signedIn = await identity.verify(await signedChallenge(identity, owner, device))
  const token = signedIn.token!
  const session = await identity.authenticate(token)
  return { ...signedIn, token, session: session!, device }
}

export async function revoke(identity: Identity, owner: TestWallet, device: TestDevice): Promise<SignedIn> {
  return identity.verify(await signedChallenge(identity, owner, device, 'revoke'))
}
