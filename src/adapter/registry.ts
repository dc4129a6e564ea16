/**
 * The list of networks. Loading is lazy: a network's SDK is imported only when the network is enabled.
 * To add a network, add one line to `adapters` and, if it has a local stand-in, one to `sandboxes`.
 */
import type { AdapterDefinition } from './contract.ts'
import type { SandboxModule } from './sandbox.ts'

const adapters: Record<string, () => Promise<{ default: AdapterDefinition }>> = {
  waku: () => import('../../adapters/waku/index.ts'),
  trtc: () => import('../../adapters/trtc/index.ts'),
  xmtp: () => import('../../adapters/xmtp/index.ts'),
  push: () => import('../../adapters/push/index.ts'),
  simulator: () => import('../../adapters/simulator/index.ts'),
}

const sandboxes: Record<string, () => Promise<SandboxModule>> = {
  waku: () => import('../../adapters/waku/sandbox/index.ts'),
  trtc: () => import('../../adapters/trtc/sandbox/index.ts'),
  xmtp: () => import('../../adapters/xmtp/sandbox/index.ts'),
  push: () => import('../../adapters/push/sandbox/index.ts'),
}

/** Names of all networks that this build knows, in the order in which they are shown. */
export const networkNames: readonly string[] = Object.keys(adapters)

/** Names of the networks that have a sandbox. */
export const sandboxNames: readonly string[] = Object.keys(sandboxes)

/** Loads an adapter's definition. Throws `RangeError` for an unknown network. */
export async function loadAdapter(network: string): Promise<AdapterDefinition> {
  const load = Object.hasOwn(adapters, network) ? adapters[network] : undefined
  if (!load) throw new RangeError(`unknown network "${network}"; known: ${networkNames.join(', ')}`)
  return (await load()).default
}

/** Loads a network's sandbox. Throws `RangeError` where there is none. */
export async function loadSandbox(network: string): Promise<SandboxModule> {
  const load = Object.hasOwn(sandboxes, network) ? sandboxes[network] : undefined
  if (!load) throw new RangeError(`no sandbox for "${network}"; there is one for: ${sandboxNames.join(', ')}`)
  return load()
}
