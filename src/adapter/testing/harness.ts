/** What an adapter's author gives to the contract suite. This interface is stable: additions are optional. */
import type { Capabilities } from '../capabilities.ts'
import type { AdapterDefinition } from '../contract.ts'
import type { EnrolledAccount } from '../enrolment.ts'

/** A network that runs on loopback or in memory, native clients on it, and the adapter under test. */
export interface ContractHarness {
  definition: AdapterDefinition
  /** Input of `definition.config` that joins a gateway to the network. Used again for every adapter that a check makes. */
  config: unknown
  network: NetworkProbe
  /** Two wallets or more, each with a native client attached at `address` before `setup` resolves. */
  wallets: TestWallet[]
  /**
   * Capabilities that the network shows at times and which are therefore declared false, each with the reason. For
   * these the suite does not demand that the behaviour is absent.
   *
   * @example { idempotentSend: 'the same hash is refused only while the first is in the seen-cache' }
   */
  conditional?: Partial<Record<keyof Capabilities, string>>
  /**
   * Where a frame of a native client is sent to for the gateway to hear it: the recipient's address, which is the default,
   * or the `gateway`'s own, on networks where each account reads nothing but its own messages (XMTP, Push).
   */
  heardAt?: 'recipient' | 'gateway'
  /**
   * For networks that call webhooks. The suite serves `adapter.webhook` at `POST <baseUrl>/hooks/<network>/<secret>`
   * while a check's adapter is started, and announces it here before `start`.
   */
  connectGateway?(gateway: { baseUrl: string }): void | Promise<void>
  /** For networks with hop mode. Absent: its checks assert nothing. */
  enrolment?: EnrolmentProbe
  /** For networks with opaque mirroring. Absent: its checks assert nothing. */
  mirroring?: MirrorProbe
  teardown(): Promise<void>
}

/** Hop mode as the wallets' owners see it: they sign, and they read and write with clients of the network's own. */
export interface EnrolmentProbe {
  account(wallet: TestWallet): EnrolledAccount
  /** Signs a text with a wallet's key; `handover` where the adapter's terms ask for it. */
  sign(
    wallet: TestWallet,
    text: string,
  ): Promise<{ signature: string; chainId?: number | null; handover?: Uint8Array | null }>
  /** The wallet `from` writes a native text to the wallet `to`. Resolves with the network's id of the message. */
  write(route: { from: TestWallet; to: TestWallet }, text: string): Promise<string>
  /** Native texts that the wallet's own client has received so far, repeats included. */
  received(wallet: TestWallet): Promise<{ text: string; remoteId: string }[]>
}

/** Opaque mirroring as the wallets' owners see it: they talk with clients of the network's own. */
export interface MirrorProbe {
  /** Input of the facet's `registration` with which a wallet has its conversation with the other one mirrored from now on. */
  registration(wallet: TestWallet): Promise<unknown>
  /** The wallet `from` writes native messages to the wallet `to`, one after the other. Resolves with what the network carries. */
  write(route: { from: TestWallet; to: TestWallet }, texts: string[]): Promise<Uint8Array[]>
}

export interface TestWallet {
  /** walletKey, `eip155:*:0x<40 lower hex>` */
  wallet: string
  /** The wallet's address on this network. */
  address: string
}

/** The network as its native clients see it. */
export interface NetworkProbe {
  /**
   * The native client at `from` sends `frame` to `to`, in the carriage that clients use. Resolves when the network has
   * taken it, with the id that the adapter is expected to report, or null where a client is not told that id.
   */
  inject(frame: Uint8Array, route: { from: string; to: string }): Promise<string | null>
  /** Frames that the native client at `address` has got so far, in order of arrival, repeats included. */
  received(address: string): Promise<Uint8Array[]>
  /**
   * Cuts the gateway off from the network, or lets it back. Native clients stay connected and `inject` goes on working.
   * Resolves when it is in force. Absent: the checks that need an outage assert nothing.
   */
  outage?(on: boolean): Promise<void>
  /** Makes the network deliver a message that the gateway had already once more. Absent: only history repeats are checked. */
  redeliver?(remoteId: string): Promise<void>
}
