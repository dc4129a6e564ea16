import { z } from 'zod'

/** Largest frame in bytes that any simulated network takes. */
export const LARGEST_FRAME_BYTES = 1_048_576

const share = z.number().min(0).max(1).default(0)

/**
 * `networks.simulator` of the configuration. The first gateway of the process that names a network makes it with these
 * settings; those that come later join it as it is.
 */
export const simulatorConfig = z.strictObject({
  network: z
    .string()
    .min(1)
    .max(64)
    .default('main')
    .describe('Name of the simulated network within this process'),
  seed: z.int().min(0).default(1).describe('Seed of all faults: the same seed gives the same run'),
  latencyMs: z
    .number()
    .min(0)
    .default(0)
    .describe('Milliseconds from a send to its delivery, and to its answer'),
  loss: share.describe('Share of deliveries, 0 to 1, that are lost; the history still has the message'),
  duplication: share.describe('Share of deliveries, 0 to 1, that come twice'),
  reordering: share.describe('Share of deliveries, 0 to 1, that come late, after messages sent later'),
  answerLoss: share.describe('Share of sends, 0 to 1, that are taken though the answer is lost (uncertain)'),
  history: z.boolean().default(true).describe('The network keeps messages and lets gateways read them'),
  echo: z.boolean().default(true).describe('A gateway hears its own sends'),
  idempotentSend: z.boolean().default(true).describe('The network takes each transaction id once'),
  maxFrameBytes: z
    .int()
    .min(1)
    .max(LARGEST_FRAME_BYTES)
    .default(262_144)
    .describe('Largest frame in bytes that the network takes'),
})

export type SimulatorConfig = z.output<typeof simulatorConfig>
