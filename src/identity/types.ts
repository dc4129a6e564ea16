/** What the identity part offers to the rest of the gateway. */
import type { Route, RouteRule, StoredEndpoint, StoredKeyEntry, StoredPrekey } from '../store/port.ts'
import type { WalletKind } from './caip.ts'

/** A signed-in caller. Object access is decided by `wallet`, never by a path alone. */
export interface Session {
  wallet: string
  /** CAIP-10 account that signed in, EIP-55 checksummed. */
  account: string
  device: Uint8Array
  expiresAt: number
}

export interface ChallengeRequest {
  /** CAIP-10 account, e.g. `eip155:1:0x…`, or a bare EVM address, which stands for chain 1. */
  wallet: string
  /** Default: an account that a private key controls. A smart account says `evm-contract`; the text cannot show it. */
  kind?: WalletKind
  device: { publicKey: Uint8Array; label: string }
  /** `add` (default) certifies the device and signs in; `revoke` takes the device's certificate away. */
  action?: 'add' | 'revoke'
}

export interface Challenge {
  challengeId: string
  /** EIP-4361 / CAIP-122 text, to be signed as it is. */
  message: string
  expiresAt: number
  /** Canonical CBOR of the key-log entry whose hash the text certifies, so that the client can check it before it signs. */
  entry: Uint8Array
}

export interface SignedIn {
  /** Bearer token; null after `revoke`. */
  token: string | null
  expiresAt: number | null
  wallet: string
  /**
   * Certificate of the device, to be put into frames. Null when the wallet's signature is too long for one, as that of a
   * smart account may be: then the key log alone tells of the device.
   */
  certificate: Uint8Array | null
}

/**
 * Whether a device may sign for a wallet, at the time this gateway received the message. `unverified`: a smart account
 * certified it, and the account's chain cannot be asked, now or because no node of it is configured.
 */
export type DeviceStatus =
  | 'certified'
  | 'unknown'
  | 'expired'
  | 'revoked'
  | 'certificateInvalid'
  | 'unverified'

/** The part of identity on which the relay leans. */
export interface DeviceTrust {
  /**
   * Decides by the key log where there is one, else by the certificate that came along (which is then remembered only as
   * a cached verdict, never appended to a log). `receivedAt` counts, not the sender's clock.
   */
  deviceStatus(input: {
    wallet: string
    device: Uint8Array
    certificate: Uint8Array | null
    receivedAt: number
  }): Promise<DeviceStatus>
  /** Certificate of a device from the key log, to go along with frames that leave. Null when the log lacks it, or it is too long. */
  certificateOf(wallet: string, device: Uint8Array): Promise<Uint8Array | null>
}

/** The address map and routes, as the relay reads them. */
export interface Directory {
  /** Has the wallet signed in here? */
  isServed(wallet: string): Promise<boolean>
  /** Those of the wallets that have, with at most one question to the store. */
  servedAmong(wallets: readonly string[]): Promise<ReadonlySet<string>>
  /** Enabled endpoints of a served wallet. */
  endpoints(wallet: string): Promise<StoredEndpoint[]>
  /** The wallet's own choice, or the configured default. */
  route(wallet: string): Promise<Route>
  /**
   * The rule for a message from one wallet to another: the recipient's override for the sender, else the recipient's own route,
   * else the sender's override for the recipient, else the configured default. `sender` null: nobody is named.
   */
  ruleFor(recipient: string, sender: string | null): Promise<AppliedRule>
}

export interface AppliedRule extends RouteRule {
  /** `own`: the recipient's route; `override`: its override for the sender; `sender`: the sender's for the recipient. */
  source: 'own' | 'override' | 'sender' | 'default'
}

export interface Identity extends DeviceTrust, Directory {
  challenge(request: ChallengeRequest): Promise<Challenge>
  /** `signal` ends waiting for the node of a smart account's chain. */
  verify(input: { challengeId: string; signature: string }, signal?: AbortSignal): Promise<SignedIn>
  /** Null for an unknown or expired token. */
  authenticate(token: string): Promise<Session | null>
  signOut(token: string): Promise<void>
  publishPrekeys(session: Session, prekeys: { bytes: Uint8Array; signature: Uint8Array }[]): Promise<number>
  keys(wallet: string): Promise<{ log: StoredKeyEntry[]; prekeys: StoredPrekey[] }>
  allEndpoints(wallet: string): Promise<StoredEndpoint[]>
  setEndpoint(
    session: Session,
    input: { network: string; address?: string; enabled: boolean },
  ): Promise<StoredEndpoint>
  setRoute(session: Session, route: Route): Promise<Route>
  /**
   * Turns what a user types (CAIP-10, walletKey, EVM address) into a walletKey. An account of an EVM chain is the smart
   * account of that chain if one has signed in here, else the account that a private key controls. Rejects with `IdentityError`.
   */
  findWallet(text: string): Promise<string>
}

/** What identity asks of the running networks. */
export interface NetworkAddresses {
  /** Networks on which a wallet has an address without doing anything, with that address. */
  derived(wallet: string): { network: string; address: string; exclusive: boolean }[]
  isAddress(network: string, address: string): boolean
  isEnabled(network: string): boolean
}
