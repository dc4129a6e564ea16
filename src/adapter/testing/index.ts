/**
 * The contract test suite of adapters: run it over a new adapter, joined to its network's sandbox.
 *
 * @example
 * // test/contract/waku.contract.test.ts
 * import definition from '../../adapters/waku/index.ts'
 * import { describeAdapterContract } from '../../src/adapter/testing/index.ts'
 *
 * describeAdapterContract({
 *   name: 'waku',
 *   async setup() {
 *     const sandbox = await startSandbox()
 *     const [alice, bob] = await Promise.all([attachClient(sandbox, walletA), attachClient(sandbox, walletB)])
 *     return {
 *       definition,
 *       config: sandbox.gatewayConfig,
 *       wallets: [alice, bob],             // { wallet, address }, native clients attached
 *       network: {
 *         inject: (frame, { from, to }) => clientAt(from).send(to, frame),
 *         received: async (address) => clientAt(address).frames,
 *         outage: (on) => sandbox.faults.outage(on),
 *       },
 *       connectGateway: (gateway) => sandbox.connectGateway?.(gateway),   // networks with webhooks
 *       teardown: () => sandbox.stop(),
 *     }
 *   },
 * })
 *
 * `setup` runs once for each concern (lifecycle, send, …), every check makes its own adapters with fresh storage, and
 * `teardown` closes the harness. One concern alone: `vitest run <file> -t history`. The checks are plain functions:
 * `runCheck(check, harness)` runs one without a test runner and rejects with what is wrong.
 */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { type Check, runCheck } from './bench.ts'
import { abortChecks } from './checks/abort.ts'
import { capabilityChecks } from './checks/capabilities.ts'
import { dedupChecks } from './checks/dedup.ts'
import { echoChecks } from './checks/echo.ts'
import { enrolmentChecks } from './checks/enrolment.ts'
import { errorChecks } from './checks/errors.ts'
import { historyChecks } from './checks/history.ts'
import { identityChecks } from './checks/identity.ts'
import { lifecycleChecks } from './checks/lifecycle.ts'
import { opaqueChecks } from './checks/opaque.ts'
import { operationChecks } from './checks/operations.ts'
import { orderingChecks } from './checks/ordering.ts'
import { receiveChecks } from './checks/receive.ts'
import { sendChecks } from './checks/send.ts'
import type { ContractHarness } from './harness.ts'

export type { Bench, Check, Opened } from './bench.ts'
export { runCheck } from './bench.ts'
export { randomFrame, randomHex, sameBytes } from './bytes.ts'
export { createVirtualClock, type VirtualClock } from './clock.ts'
export * from './context.ts'
export type {
  ContractHarness,
  EnrolmentProbe,
  MirrorProbe,
  NetworkProbe,
  TestWallet,
} from './harness.ts'
export { settles, type WaitOptions, waitFor } from './wait.ts'

/** All checks of the contract by concern. */
export const contractChecks = {
  lifecycle: lifecycleChecks,
  send: sendChecks,
  receive: receiveChecks,
  echo: echoChecks,
  dedup: dedupChecks,
  ordering: orderingChecks,
  history: historyChecks,
  errors: errorChecks,
  abort: abortChecks,
  capabilities: capabilityChecks,
  identity: identityChecks,
  operations: operationChecks,
  enrolment: enrolmentChecks,
  opaque: opaqueChecks,
} satisfies Record<string, Check[]>

export type Concern = keyof typeof contractChecks

export interface ContractSubject {
  /** Shown by the test runner, e.g. `waku (embedded relay)`. */
  name: string
  /** Starts a network, native clients on it, and nothing of the gateway. */
  setup(): Promise<ContractHarness>
  /** Default: all concerns. */
  concerns?: readonly Concern[]
  /** Time for one check in milliseconds, default 180,000; for `setup` and `teardown` the same. */
  timeoutMs?: number
}

/** Registers the contract's checks with vitest. */
export function describeAdapterContract(subject: ContractSubject): void {
  const timeout = subject.timeoutMs ?? 180_000
  describe(`adapter contract: ${subject.name}`, () => {
    for (const concern of subject.concerns ?? (Object.keys(contractChecks) as Concern[])) {
      describe(concern, () => {
        let harness: ContractHarness
        beforeAll(async () => {
          harness = await subject.setup()
        }, timeout)
        afterAll(() => harness?.teardown(), timeout)
        for (const check of contractChecks[concern] as Check[]) {
          it(check.name, () => runCheck(check, harness), timeout)
        }
      })
    }
  })
}
