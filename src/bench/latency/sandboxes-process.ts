/** The stand-ins of the networks, in a process of their own so that their work does not delay the clients' clocks. */
import type { Sandbox } from '../../adapter/index.ts'
import { loadSandbox } from '../../adapter/registry.ts'
import { runAll } from '../../run-all.ts'
import { serveParent } from '../child.ts'

export interface SandboxesInput {
  networks: string[]
  seed: number
}

export interface StartedSandbox {
  network: string
  addresses: Record<string, string>
  gatewayConfig: Record<string, unknown>
}

const running = new Map<string, Sandbox>()

async function start({ networks, seed }: SandboxesInput): Promise<StartedSandbox[]> {
  const started = networks.map(async (network) => {
    const sandbox = await (await loadSandbox(network)).startSandbox({ seed })
    running.set(network, sandbox)
    return { network, addresses: sandbox.addresses, gatewayConfig: sandbox.gatewayConfig }
  })
  return Promise.all(started)
}

// Ctrl-C reaches every process of a terminal: the parent ends this one when it has finished its report.
process.on('SIGINT', () => undefined)

serveParent(
  {
    start,
    connectGateway({ baseUrl }: { baseUrl: string }) {
      for (const sandbox of running.values()) sandbox.connectGateway?.({ baseUrl })
    },
    /** Milliseconds by network. */
    delay(delays: Record<string, number>) {
      for (const [network, milliseconds] of Object.entries(delays))
        running.get(network)?.faults.latency(milliseconds)
    },
  },
  () => runAll([...running.values()].map((sandbox) => () => sandbox.stop())),
)
