/** The gateway as operators run it, composed by `main.ts`, with every frame noted that crosses the border to an adapter. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../../main.ts'
import { serveParent } from '../child.ts'
import { type Crossing, observeNetworks } from '../observed-networks.ts'

export type GatewayInput =
  /** Joins these networks, and keeps nothing. */
  | { networks: Record<string, Record<string, unknown>> }
  /** As this file says. */
  | { file: string }

export interface DescribedNetwork {
  network: string
  state: string
  reason: string | null
  sandbox: boolean
  description: Record<string, unknown>
  maxFrameBytes: number
  /** Its clients need credentials of the gateway. */
  credentials: boolean
}

const crossings: Crossing[] = []
let running: RunningGateway | null = null
let temporary: string | null = null

async function start(input: GatewayInput): Promise<{ url: string }> {
  const options = 'file' in input ? { file: input.file } : { values: await valuesFor(input.networks) }
  running = await startGateway({
    ...options,
    environment: 'file' in input ? process.env : {},
    wrapAdapter: (definition) => observeNetworks(definition, crossings),
  })
  return { url: running.url }
}

async function valuesFor(networks: Record<string, unknown>): Promise<Record<string, unknown>> {
  temporary = await mkdtemp(join(tmpdir(), 'causeway-latency-'))
  return {
    server: { host: '127.0.0.1', port: 0 },
    data: { directory: temporary },
    log: { level: 'error' },
    // All the people of a run sign in from one address within a second.
    limits: { signInsPerMinute: 1_000, addressPerSecond: 1_000, addressBurst: 1_000 },
    networks,
  }
}

function networks(): DescribedNetwork[] {
  if (running === null) return []
  const joined = running.gateway.networks
  return joined.list().map(({ network, state, reason, sandbox, description, limits }) => ({
    network,
    state,
    reason: reason ?? null,
    sandbox,
    description,
    maxFrameBytes: limits.maxFrameBytes,
    credentials: joined.get(network)?.adapter.credentials !== undefined,
  }))
}

// Ctrl-C reaches every process of a terminal: the parent ends this one when it has finished its report.
process.on('SIGINT', () => undefined)

serveParent({ start, networks, crossings: () => crossings.splice(0) }, async () => {
  await running?.stop()
  if (temporary !== null) await rm(temporary, { recursive: true, force: true })
})
