/**
 * SANDBOX: an XMTP node of protocol V3 on loopback, gRPC over cleartext HTTP/2, that unmodified `@xmtp/node-sdk` clients
 * register at, talk through and restart against.
 *
 * @example
 * const sandbox = await startSandbox({ directory: './xmtp-node' })
 * const client = await Client.create(signer, { env: 'local', apiUrl: sandbox.addresses.grpc, disableDeviceSync: true })
 */
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Sandbox, SandboxOptions } from '../../../src/adapter/index.ts'
import type { GroupMessage, GroupMessageV1, WelcomeMessage } from '../wire/index.ts'
import type { ApiParts } from './api.ts'
import { FaultState, type XmtpFaults } from './faults.ts'
import { type ContractVerdict, Identities } from './identity.ts'
import { XmtpNode } from './node.ts'
import { networkRateLimits, RateLimiter, type RateLimits } from './rate-limits.ts'
import { NodeStore } from './store.ts'
import { Subscriptions } from './subscriptions.ts'

export { connectClient } from './client.ts'
export type { FailureStatus, XmtpFaults } from './faults.ts'
export type { ContractVerdict } from './identity.ts'
export type { RateLimits } from './rate-limits.ts'

export interface XmtpSandboxOptions extends SandboxOptions {
  /** The stand-in's clock in Unix milliseconds. Default: the system's. */
  now?(): number
  /** `true`: the limits of the public network. Default: no limit. */
  rateLimits?: boolean | Partial<RateLimits>
}

export interface XmtpSandbox extends Sandbox {
  addresses: { grpc: string }
  faults: XmtpFaults
  /** How often each method was called since the start, refused calls included. */
  calls(): Record<string, number>
  /** Messages of a group or DM in order, oldest first: ciphertext, as everybody on the network could read it. */
  groupMessages(groupId: string): GroupMessageV1[]
  /** Ids of all groups and DMs in hex, in order of their first message. */
  groupIds(): string[]
  /** Ids of an inbox's installations in hex. */
  installations(inboxId: string): string[]
  /** Says whether a smart contract wallet accepts signatures. Addresses that were never named accept none. */
  setContractWallet(address: string, verdict: ContractVerdict): void
  /** Streams that are open, of groups and of welcomes. */
  subscriptions(): number
}

/** Starts the node on 127.0.0.1, on any free port when `port` is absent. State is kept in `directory`, else in memory. */
export async function startSandbox(options: XmtpSandboxOptions = {}): Promise<XmtpSandbox> {
  const seed = options.seed ?? 1
  const now = options.now ?? Date.now
  if (options.directory !== undefined) await mkdir(options.directory, { recursive: true })
  const faults = new FaultState(seed)
  const store = new NodeStore(options.directory, now)
  const parts: ApiParts = {
    store,
    identities: new Identities(store),
    faults,
    groupSubscriptions: new Subscriptions<GroupMessage>(faults),
    welcomeSubscriptions: new Subscriptions<WelcomeMessage>(faults),
    now,
  }
  const node = new XmtpNode(parts, limiterOf(options.rateLimits, now), options.port ?? 0)
  await node.open()
  const addresses = { grpc: `http://127.0.0.1:${node.port}` }

  return {
    network: 'xmtp',
    addresses,
    gatewayConfig: { environment: 'local', apiUrl: addresses.grpc, walletKey: derivedWalletKey(seed) },
    faults: switches(parts, node, (limits) => limiterOf(limits, now)),
    calls: () => node.calls,
    groupMessages: (groupId) => store.groupMessagesAfter(Buffer.from(groupId, 'hex'), '0'),
    groupIds: () => store.groupIds().map((id) => Buffer.from(id).toString('hex')),
    installations: (inboxId) => parts.identities.installations(inboxId),
    setContractWallet: (address, verdict) => parts.identities.setContract(address, verdict),
    subscriptions: () => parts.groupSubscriptions.size + parts.welcomeSubscriptions.size,
    async stop() {
      await node.close()
      store.close()
    },
  }
}

function switches(
  { faults, groupSubscriptions, welcomeSubscriptions }: ApiParts,
  node: XmtpNode,
  limiterWith: (limits: boolean | Partial<RateLimits>) => RateLimiter | null,
): XmtpFaults {
  return {
    outage: (on) => (on ? node.close() : node.open()),
    latency(ms) {
      faults.latencyMs = ms
    },
    loss(share) {
      faults.loss = share
    },
    duplication(share) {
      faults.duplication = share
    },
    reordering(share) {
      faults.reordering = share
    },
    gaps(share) {
      faults.gaps = share
    },
    failWith: (code, times, method) => faults.failWith(code, times, method),
    failing: (code, method) => faults.failing(code, method),
    answerLost: (times) => faults.answerLost(times),
    answersLost(on) {
      faults.everyAnswerLost = on
    },
    muteSubscriptions() {
      groupSubscriptions.mute()
      welcomeSubscriptions.mute()
    },
    cutSubscriptions() {
      groupSubscriptions.cut()
      welcomeSubscriptions.cut()
    },
    queryLag(ms) {
      faults.queryLagMs = ms
    },
    queryLimit(count) {
      faults.queryLimit = count
    },
    rateLimits(limits) {
      node.limiter = limiterWith(limits)
    },
    migrated(on) {
      faults.isMigrated = on
    },
  }
}

function limiterOf(limits: XmtpSandboxOptions['rateLimits'], now: () => number): RateLimiter | null {
  if (!limits) return null
  return new RateLimiter({ ...networkRateLimits, ...(limits === true ? {} : limits) }, now)
}

/** The same seed gives the same wallet, so that a gateway's databases written for a sandbox go on working. */
function derivedWalletKey(seed: number): string {
  return `0x${createHash('sha256').update(`causeway sandbox ${seed} xmtp wallet`).digest('hex')}`
}
