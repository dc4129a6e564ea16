/** What `causeway doctor` finds about the nodes of chains (`identity.chains`). */
import type { Finding } from '../adapter/index.ts'
import {
  type ChainError,
  type ChainErrorCode,
  type ChainSettings,
  createContractVerifier,
  IdentityError,
} from '../identity/index.ts'

/** Nobody's account, without code: the node has to run the whole check to find that out. */
const PROBE = {
  address: '0x000000000000000000000000000000000000dEaD',
  hash: `0x${'00'.repeat(32)}`,
  signature: '0x00',
}

const FIXES: Record<ChainErrorCode, string> = {
  'chain-unreachable': 'check the URL and its key, and that the node answers eth_call without `to`',
  'chain-busy': 'raise maxInFlight',
  'chain-call-refused': 'check the key and its limits; eth_call needs 15 million gas and no `to`',
  'chain-mismatch': 'give the URL of a node of this chain',
}

/** Has the node check a signature, as it does when a smart account signs in. */
export async function examineChain(
  chainId: string,
  settings: ChainSettings,
  signal: AbortSignal,
): Promise<Finding> {
  const check = `chain ${chainId}`
  const troubles: ChainError[] = []
  const contracts = createContractVerifier({
    chains: { [chainId]: settings },
    report: (_chain, error) => troubles.push(error),
  })
  try {
    await contracts.verify({ chainId, ...PROBE, signal })
    return { check, status: 'ok', message: 'its node checks signatures of smart accounts' }
  } catch (error) {
    const [trouble] = troubles
    if (!(error instanceof IdentityError) || trouble === undefined) throw error
    return { check, status: 'error', message: trouble.message, fix: FIXES[trouble.code] }
  }
}
