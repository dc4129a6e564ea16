/** An XMTP node as a process of its own, on a folder and a port that outlive it, to be killed. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startSandbox } from '../../adapters/xmtp/sandbox/index.ts'

export interface NodeProcess {
  url: string
  /** Input of the adapter's configuration. */
  gatewayConfig: Record<string, unknown>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** Starts it again on what it left. Resolves when it answers. */
  restart(): Promise<void>
}

interface Announcement {
  url: string
  gatewayConfig: Record<string, unknown>
}

export async function startNodeProcess(directory: string): Promise<NodeProcess> {
  let child: ChildProcess | null = null

  async function run(port: number): Promise<Announcement> {
    child = fork(fileURLToPath(import.meta.url), [directory, String(port)])
    const [announcement] = (await once(child, 'message')) as [Announcement]
    return announcement
  }

  const { url, gatewayConfig } = await run(0)
  return {
    url,
    gatewayConfig,
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    },
    async restart() {
      await run(Number(new URL(url).port))
    },
  }
}

if (import.meta.main) {
  const [directory, port] = process.argv.slice(2)
  const sandbox = await startSandbox({
    directory: directory!,
    ...(port === '0' ? {} : { port: Number(port) }),
  })
  process.send?.({ url: sandbox.addresses.grpc, gatewayConfig: sandbox.gatewayConfig } satisfies Announcement)
}
