/**
 * SANDBOX: a stand-in of a Push node on loopback, REST and sockets, that users of the unmodified `@pushprotocol/restapi`
 * talk to. The real node's source is not public: what it may check beyond this is said in the README.
 *
 * @example
 * const sandbox = await startSandbox()
 * const bob = await connectPushUser({ baseUrl: sandbox.addresses.rest, signer: Wallet.createRandom() })
 */
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  NetworkClient,
  NetworkClientInput,
  Sandbox,
  SandboxOptions,
} from '../../../src/adapter/index.ts'
import { decodeText, encodeText } from '../carriage.ts'
import { isDid } from '../did.ts'
import type { PushFaults } from './faults.ts'
import { startPushNode } from './node.ts'
import { connectPushUser } from './sdk-user.ts'

export interface PushSandboxOptions extends SandboxOptions {
  /** The stand-in's clock in Unix milliseconds. Default: the system's. */
  now?(): number
  /** Check signatures as the service does. Default: true. */
  strict?: boolean
}

export interface PushSandbox extends Sandbox {
  faults: PushFaults
  /** Calls so far by method and path, with ids and accounts left out. */
  calls: ReadonlyMap<string, number>
}

export async function startSandbox(options: PushSandboxOptions = {}): Promise<PushSandbox> {
  const { directory, seed = 1 } = options
  if (directory !== undefined) await mkdir(directory, { recursive: true })
  const node = await startPushNode({
    seed,
    file: directory === undefined ? null : join(directory, 'push-sandbox.sqlite'),
    port: options.port ?? 0,
    strict: options.strict ?? true,
    now: options.now ?? Date.now,
  })
  return {
    network: 'push',
    addresses: { rest: node.baseUrl },
    gatewayConfig: {
      walletKey: createHash('sha256').update(`causeway sandbox ${seed} push wallet`).digest('hex'),
      url: node.baseUrl,
      // Users of the SDK's `local` environment name accounts by the same chain.
      environment: 'dev',
    },
    calls: node.calls,
    faults: node.faults,
    stop: () => node.stop(),
  }
}

/**
 * Joins as a wallet would, with the unmodified SDK. A frame for any wallet goes to the gateway's own account, whose relay
 * takes it to the wallet's endpoints: an account on Push hears only what is written to it.
 */
export async function connectClient(input: NetworkClientInput): Promise<NetworkClient> {
  const { url, account } = input.description
  if (typeof url !== 'string' || !input.signer) {
    throw new TypeError('a Push client needs the url of the description, and the wallet to sign with')
  }
  const user = await connectPushUser({ baseUrl: url, signer: input.signer })
  if (user.did !== input.address) {
    await user.close()
    throw new TypeError('the signer belongs to another address')
  }
  return {
    async send(address, frame) {
      const to = typeof account === 'string' && isDid(account) ? account : address
      return user.sendText(to, encodeText(frame))
    },
    onFrame(listener) {
      user.onMessage(({ content, from }) => {
        const frame = typeof content === 'string' ? decodeText(content) : null
        if (frame) listener(frame, from)
      })
    },
    close: () => user.close(),
  }
}
