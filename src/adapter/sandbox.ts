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

/** The module shape of `adapters/<network>/sandbox/index.ts`. */
export interface SandboxModule {
  startSandbox(options?: SandboxOptions): Promise<Sandbox>
}
