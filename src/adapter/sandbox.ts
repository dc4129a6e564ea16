/** The local stand-in of a network, on loopback. `adapters/<network>/sandbox/index.ts` exports `startSandbox`. */
export interface Sandbox {
  network: string
  /** Addresses by purpose, printed to the user, e.g. `{ rest: 'http://127.0.0.1:…', socket: 'ws://127.0.0.1:…' }`. */
  addresses: Record<string, string>
  /** Input of the adapter's config schema that joins a gateway to this sandbox. */
  gatewayConfig: Record<string, unknown>
  /** Tells the sandbox where the gateway listens (webhooks), once it does. `baseUrl` has no trailing slash. */
  connectGateway?(gateway: { baseUrl: string }): void
  faults: FaultSwitches
  stop(): Promise<void>
}

/** What can go wrong on demand. All off at start. */
export interface FaultSwitches {
  /** Refuses and cuts every connection while true. */
  outage(on: boolean): Promise<void>
  /** Fixed delay in milliseconds before each delivery. */
  latency(ms: number): void
  /** Share of messages, 0 to 1, that are dropped, doubled or delivered late and out of order. Seeded. */
  loss(share: number): void
  duplication(share: number): void
  reordering(share: number): void
}

export interface SandboxOptions {
  /** Seed of everything random in the sandbox. */
  seed?: number
  /** Durable state goes here; in memory when absent. */
  directory?: string
  /** Fixed port of the first listener; any free port when absent. */
  port?: number
}

/** A wallet's own client on the network, made with the network's unmodified SDK and knowing nothing of the gateway. */
export interface NetworkClient {
  /** Puts a frame on the network for an address. Resolves with the network's id of the message. */
  send(address: string, frame: Uint8Array): Promise<string>
  /**
   * Where frames go that the gateway shall relay, on networks on which it hears only what is sent to itself (XMTP, Push).
   * Absent where it hears what is sent to the recipient's own address.
   */
  gatewayAddress?: string
  /** Frames that arrive for this client's address; `from` as far as the network says. */
  onFrame(listener: (frame: Uint8Array, from: string | null) => void): void
  /** Closes connections and ends child processes. */
  close(): Promise<void>
}

export interface NetworkClientInput {
  /** The client's own address on the network. */
  address: string
  /** `describe()` of the gateway's adapter, as `GET /v1/networks` shows it. */
  description: Record<string, unknown>
  /** From `POST /v1/networks/<network>/credentials`, on networks that need them. */
  credentials: Record<string, string | number> | null
  /** The wallet, on networks where a client signs in with it (XMTP, Push). */
  signer?: WalletSigner
  /** Where a client that keeps state keeps it, so that it can be restarted; in memory when absent. */
  directory?: string
}

/** What a network's SDK asks of a wallet: its address, and `personal_sign`. An ethers `Wallet` is one. */
export interface WalletSigner {
  getAddress(): Promise<string>
  signMessage(message: string): Promise<string>
}

/** The module shape of `adapters/<network>/sandbox/index.ts`. */
export interface SandboxModule {
  startSandbox(options?: SandboxOptions): Promise<Sandbox>
  /** Joins the network as a wallet would, with the real SDK. For the demo, tests and latency research. */
  connectClient(input: NetworkClientInput): Promise<NetworkClient>
}
