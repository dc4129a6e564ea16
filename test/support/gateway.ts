/** Whole gateways for tests: the real composition root, on sandboxes or simulators, on free ports of loopback. */
import { Wallet } from 'ethers'
import { type Client, type ClientOptions, createClient } from '../../src/client/index.ts'
import { type RunningGateway, startGateway } from '../../src/main.ts'
import { createLog } from '../../src/observability/log.ts'

export interface TestGateway extends RunningGateway {
  /** Signs a new wallet in. */
  signIn(options?: Partial<ClientOptions>): Promise<Client>
}

/** Starts a gateway; `values` is a configuration file's content. Stopped by the caller. */
export async function startTestGateway(values: Record<string, unknown> = {}): Promise<TestGateway> {
  const running = await startGateway({
    values: { ...values, server: { port: 0, ...(values.server as object | undefined) } },
    log: createLog({ level: 'silent' }),
  })
  return {
    ...running,
    async signIn(options = {}) {
      const client = await createClient({ gateway: running.url, signer: Wallet.createRandom(), ...options })
      await client.signIn()
      return client
    },
  }
}
