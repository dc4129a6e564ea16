/** The contract suite catches adapters whose mirroring is wrong. */
import { afterEach, expect, it } from 'vitest'
import { z } from 'zod'
import simulator from '../../adapters/simulator/index.ts'
import type {
  AdapterContext,
  AdapterDefinition,
  OpaqueFacet,
  OpaqueInbound,
} from '../../src/adapter/index.ts'
import { type ContractHarness, contractChecks, runCheck } from '../../src/adapter/testing/index.ts'
import { simulatorHarness } from './simulator-harness.ts'

interface Defect {
  defect: string
  /** The check that must catch it, by the start of its name. */
  check: string
  says: RegExp
  breaks?: (facet: OpaqueFacet) => Partial<OpaqueFacet>
  context?: (context: AdapterContext) => AdapterContext
}

const delivering =
  (change: (inbound: OpaqueInbound) => OpaqueInbound) =>
  (context: AdapterContext): AdapterContext => ({
    ...context,
    deliverOpaque: (inbound) => context.deliverOpaque(change(inbound)),
  })

const defects: Defect[] = [
  {
    defect: 'changes a byte of what it mirrors',
    check: 'what others write',
    says: /in vain for the mirrored messages/,
    context: delivering((inbound) => ({ ...inbound, bytes: inbound.bytes.with(0, 0) })),
  },
  {
    defect: 'swallows the rejection of deliverOpaque',
    check: 'what the gateway turns away',
    says: /in vain for the mirrored messages/,
    context: (context) => ({
      ...context,
      deliverOpaque: (inbound) =>
        context.deliverOpaque(inbound).catch(() => ({ outcome: 'refused', code: 'swallowed' })),
    }),
  },
  {
    defect: 'forgets its places',
    check: 'what was written while the adapter was stopped',
    says: /in vain for the mirrored messages/,
    context: (context) => ({ ...context, storage: { ...context.storage, get: async () => null } }),
  },
  {
    defect: 'goes on after unfollow',
    check: 'a mirror that is replaced',
    says: /nothing is delivered after unfollow/,
    breaks: () => ({ unfollow: async () => {} }),
  },
  {
    defect: 'passes over members of a registration that it does not know',
    check: 'a registration survives JSON',
    says: /true !== false/,
    breaks: () => ({ registration: z.looseObject({ topics: z.array(z.string()) }) }),
  },
]

function broken({ breaks, context: lie }: Defect): AdapterDefinition {
  return {
    manifest: simulator.manifest,
    config: simulator.config,
    create(config, context) {
      const adapter = simulator.create(simulator.config.parse(config), lie?.(context) ?? context)
      return adapter.opaque
        ? { ...adapter, opaque: { ...adapter.opaque, ...breaks?.(adapter.opaque) } }
        : adapter
    },
  }
}

let harness: ContractHarness
afterEach(() => harness.teardown())

it.each(defects)('catches an adapter that $defect, and passes one that does not', async (defect) => {
  const check = contractChecks.opaque.find(({ name }) => name.startsWith(defect.check))!
  harness = await simulatorHarness()
  const wrong = runCheck(check, { ...harness, definition: broken(defect) }, { patienceMs: 1_500 })
  await expect(wrong).rejects.toThrow(defect.says)
  await runCheck(check, harness)
})
