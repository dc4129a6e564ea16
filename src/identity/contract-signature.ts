/** Signatures of contract accounts: ERC-1271 for those that are deployed, ERC-6492 for those that are not yet. Runs in browsers. */
import { AbiCoder } from 'ethers/abi'
import { ChainError, type ChainRpc, type ChainSettings, createChainRpc } from './chain-rpc.ts'
import { SIGNATURE_VALIDATOR } from './contracts/bytecode.ts'
import { IdentityError } from './errors.ts'

/** What the chain says of a signature. */
export type ContractVerdict =
  /** `counterfactual`: the account had no code, and took the signature once the call of its wrapper had deployed it. */
  | { outcome: 'valid'; kind: 'contract' | 'counterfactual'; blockNumber: number }
  /** `no-code`: nothing is deployed at the address. `delegated`: a private key controls it (EIP-7702). */
  | { outcome: 'invalid' | 'no-code' | 'delegated' }

/** A claim that the account took the signature at an earlier block, around a time. */
export interface AcceptedAt {
  blockNumber: number
  /** Unix milliseconds: when the signed text says that it was made. */
  at: number
}

export interface ContractVerifier {
  /** Chains whose accounts can be asked, in decimal. */
  readonly chainIds: readonly string[]
  /** Whether signatures of accounts on the chain can be checked. */
  knows(chainId: string): boolean
  /**
   * Asks the chain at its newest block. Errors: `chain-not-configured`, `wallet-verification-unavailable` (the signal too),
   * `wallet-signature-invalid` for a wrapper that cannot be read.
   */
  verify(input: {
    chainId: string
    /** EIP-55 checksummed. */
    address: string
    /** What the account is asked about, 32 bytes as `0x…`. */
    hash: string
    /** `0x…` */
    signature: string
    signal?: AbortSignal
  }): Promise<ContractVerdict>
  /**
   * Whether the account took the signature at the block of the claim, and that block is of the claimed time. Null when the
   * node cannot tell: most keep the state of the latest blocks only. Errors: as `verify`.
   */
  verifyAt(input: {
    chainId: string
    address: string
    hash: string
    signature: string
    accepted: AcceptedAt
    signal?: AbortSignal
  }): Promise<boolean | null>
}

const WRAPPER_SUFFIX = '6492'.repeat(16)
const NO_FACTORY = `0x${'00'.repeat(20)}`
const VERDICTS = ['', 'valid', 'invalid', 'no-code', 'delegated'] as const
/** For the calls of the validator, 8 and 5 million, and what stands around them. Below the limit of EIP-7825. */
const CALL_GAS = '0xe4e1c0'
const QUANTITY = /^0x(?:0|[1-9a-f][0-9a-f]{0,12})$/
/** A text waits for its signature for minutes, and blocks come late. */
const MAX_BLOCK_LAG_MS = 15 * 60_000

interface Answer {
  verdict: (typeof VERDICTS)[number]
  deployed: boolean
  /** Unix milliseconds. */
  blockTime: number
}

/**
 * Makes a verifier over nodes, by EVM chain id in decimal. The code that asks the account runs in `eth_call` and needs
 * nothing deployed on the chain (`contracts/SignatureValidator.sol`).
 *
 * `report` is told of every failure, once for each call.
 */
export function createContractVerifier(options: {
  chains: Readonly<Record<string, ChainSettings>>
  report?: (chainId: string, error: ChainError) => void
  fetch?: typeof globalThis.fetch
}): ContractVerifier {
  const chains = new Map(
    Object.entries(options.chains).map(([id, settings]) => [id, createChainRpc(settings, options.fetch)]),
  )

  function rpcOf(chainId: string): ChainRpc {
    const rpc = chains.get(chainId)
    if (rpc !== undefined) return rpc
    throw new IdentityError(
      'chain-not-configured',
      `Signatures of smart accounts on chain ${chainId} cannot be checked here: no RPC URL is configured for it (identity.chains)`,
    )
  }

  /** Runs `work`, and tells trouble with the node, or the end of waiting, from a signature that is not good. */
  async function asking<Result>(
    chainId: string,
    signal: AbortSignal | undefined,
    work: () => Promise<Result>,
  ): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ChainError) options.report?.(chainId, error)
      else if (!signal?.aborted) throw error
      throw new IdentityError(
        'wallet-verification-unavailable',
        `Chain ${chainId} could not be asked about the signature; nothing is known against it, try again`,
        { cause: error },
      )
    }
  }

  return {
    chainIds: [...chains.keys()],
    knows: (chainId) => chains.has(chainId),
    async verify({ chainId, signal, ...question }) {
      const rpc = rpcOf(chainId)
      const data = callData(question)
      return asking(chainId, signal, async () => {
        const block = await rpc.call('eth_blockNumber', [], signal)
        const blockNumber = readQuantity(block)
        const { verdict, deployed } = await ask(rpc, { chainId, data, block: block as string, signal })
        if (verdict !== 'valid') return { outcome: verdict }
        return { outcome: 'valid', kind: deployed ? 'contract' : 'counterfactual', blockNumber }
      })
    },
    async verifyAt({ chainId, accepted, signal, ...question }) {
      const rpc = rpcOf(chainId)
      const data = callData(question)
      const block = `0x${accepted.blockNumber.toString(16)}`
      return asking(chainId, signal, async () => {
        try {
          const { verdict, blockTime } = await ask(rpc, { chainId, data, block, signal })
          return verdict === 'valid' && Math.abs(blockTime - accepted.at) <= MAX_BLOCK_LAG_MS
        } catch (error) {
          if (error instanceof ChainError && error.code === 'chain-call-refused') return null
          throw error
        }
      })
    },
  }
}

/** Whether the signature carries what deploys the account (ERC-6492). */
export function isWrapped(signature: string): boolean {
  return signature.endsWith(WRAPPER_SUFFIX)
}

async function ask(
  rpc: ChainRpc,
  call: { chainId: string; data: string; block: string; signal: AbortSignal | undefined },
): Promise<Answer & { verdict: Exclude<Answer['verdict'], ''> }> {
  const { chainId, data, block, signal } = call
  const result = await rpc.call('eth_call', [{ data, gas: CALL_GAS }, block], signal)
  const words = typeof result === 'string' && /^0x[0-9a-f]{256}$/i.test(result) ? result.slice(2) : null
  const [code, deployed, chain, seconds] = (words?.match(/.{64}/g) ?? []).map((word) => BigInt(`0x${word}`))
  const verdict = VERDICTS[Number(code ?? 0)]
  if (!verdict || seconds === undefined) {
    throw new ChainError('chain-unreachable', 'The node did not run the check of the signature')
  }
  if (String(chain) !== chainId) {
    throw new ChainError('chain-mismatch', `The node for chain ${chainId} is that of another chain`)
  }
  return { verdict, deployed: deployed === 1n, blockTime: Number(seconds) * 1000 }
}

function callData(question: { address: string; hash: string; signature: string }): string {
  const { factory, factoryCall, signature } = unwrap(question.signature)
  const encoded = AbiCoder.defaultAbiCoder().encode(
    ['address', 'bytes32', 'bytes', 'address', 'bytes'],
    [question.address, question.hash, signature, factory, factoryCall],
  )
  return SIGNATURE_VALIDATOR + encoded.slice(2)
}

function unwrap(signature: string): { factory: string; factoryCall: string; signature: string } {
  if (!isWrapped(signature)) return { factory: NO_FACTORY, factoryCall: '0x', signature }
  try {
    const parts = AbiCoder.defaultAbiCoder().decode(
      ['address', 'bytes', 'bytes'],
      signature.slice(0, -WRAPPER_SUFFIX.length),
    )
    return { factory: parts[0] as string, factoryCall: parts[1] as string, signature: parts[2] as string }
  } catch (_notAbiEncoded) {
    throw new IdentityError(
      'wallet-signature-invalid',
      'The signature ends like one of an undeployed account (ERC-6492), and is not encoded as one',
    )
  }
}

function readQuantity(value: unknown): number {
  if (typeof value === 'string' && QUANTITY.test(value)) return Number(value)
  throw new ChainError('chain-unreachable', 'The node did not answer with a block number')
}
