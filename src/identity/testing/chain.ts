/** A node of an EVM chain for tests: JSON-RPC on loopback over a real EVM, with the state of every block and ways to misbehave. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Common, createCustomCommon, Hardfork, Mainnet } from '@ethereumjs/common'
import { createEVM } from '@ethereumjs/evm'
import { SimpleStateManager } from '@ethereumjs/statemanager'
import { type Address, bytesToHex, createAddressFromString, hexToBytes } from '@ethereumjs/util'
import { AbiCoder } from 'ethers/abi'
import { getAddress } from 'ethers/address'
import { id } from 'ethers/hash'

type Hex = `0x${string}`

/** What the node does instead of answering. */
export type Trouble =
  | 'refuses'
  | 'hangs'
  | 'cuts'
  | 'talks-nonsense'
  | 'floods'
  | 'redirects'
  | 'reverts'
  | 'has-no-state'
  | 'limits'

export interface TestChain {
  readonly url: string
  readonly chainId: string
  /** Methods that were asked for, oldest first. */
  readonly asked: string[]
  trouble: Trouble | null
  /** Chain id that the node says and that contracts see, when it is not the true one. */
  claimedChainId: string | null
  /** Creates a contract in a new block. */
  deploy(creationCode: string, types?: string[], values?: unknown[]): Promise<string>
  /** Calls a contract in a new block. */
  transact(call: {
    from?: string
    to: string
    signature: string
    types: string[]
    values: unknown[]
  }): Promise<string>
  /** Gives an address code, e.g. a delegation (EIP-7702), in a new block. */
  setCode(address: string, code: string): Promise<void>
  stop(): Promise<void>
}

const DEPLOYER = '0x00000000000000000000000000000000000d0d0d'
const NOBODY = `0x${'00'.repeat(20)}`
/** Tests move no clock of the chain: a new block is of this second. */
const seconds = () => BigInt(Math.floor(Date.now() / 1000))

export async function startTestChain(chainId = '31337'): Promise<TestChain> {
  const states: { state: SimpleStateManager; time: bigint }[] = []
  const current = new SimpleStateManager()
  let running: Promise<unknown> = Promise.resolve()
  const mine = () => states.push({ state: current.shallowCopy() as SimpleStateManager, time: seconds() })
  mine()

  /** Runs one call on a state. Calls follow one another: they take milliseconds. */
  function run(
    state: SimpleStateManager,
    call: { from: string; to: string | null; data: string; gas: bigint; time: bigint },
  ) {
    const result = running.then(async () => {
      const claimed = Number(chain.claimedChainId ?? chainId)
      const common: Common = createCustomCommon({ chainId: claimed }, Mainnet, { hardfork: Hardfork.Prague })
      const evm = await createEVM({ common, stateManager: state })
      return evm.runCall({
        caller: createAddressFromString(call.from),
        ...(call.to === null ? {} : { to: createAddressFromString(call.to) }),
        data: hexToBytes(call.data as Hex),
        gasLimit: call.gas,
        skipBalance: true,
        block: block(states.length - 1, call.time),
      })
    })
    running = result.catch(() => undefined)
    return result
  }

  async function change(call: { from?: string; to: string | null; data: string }) {
    const { from = DEPLOYER, to, data } = call
    const result = await run(current, { from, to, data, gas: 16_000_000n, time: seconds() })
    if (result.execResult.exceptionError) throw new Error(String(result.execResult.exceptionError.error))
    mine()
    return result
  }

  async function answer(method: string, parameters: unknown[]): Promise<unknown> {
    if (method === 'eth_chainId') return quantity(Number(chain.claimedChainId ?? chainId))
    if (method === 'eth_blockNumber') return quantity(states.length - 1)
    const at = states[Number(parameters.at(-1) as string)]
    if (chain.trouble === 'has-no-state' && at !== states.at(-1))
      throw new Refused(-32000, 'missing trie node')
    if (at === undefined) throw new Refused(-32001, 'header not found')
    const state = at.state.shallowCopy() as SimpleStateManager
    if (method === 'eth_getCode') {
      return bytesToHex(await state.getCode(createAddressFromString(parameters[0] as string)))
    }
    if (method !== 'eth_call') throw new Refused(-32601, 'the method does not exist')
    const { to = null, data, gas } = parameters[0] as { to?: string; data: string; gas: string }
    const { execResult } = await run(state, { from: NOBODY, to, data, gas: BigInt(gas), time: at.time })
    if (execResult.exceptionError)
      throw new Refused(3, `execution reverted: ${bytesToHex(execResult.returnValue)}`)
    return bytesToHex(execResult.returnValue)
  }

  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const {
        id: callId,
        method,
        params,
      } = JSON.parse(Buffer.concat(chunks).toString()) as {
        id: number
        method: string
        params: unknown[]
      }
      chain.asked.push(method)
      if (chain.trouble !== null && misbehave(chain.trouble, response)) return
      const send = (body: object) => response.end(JSON.stringify({ jsonrpc: '2.0', id: callId, ...body }))
      if (chain.trouble === 'reverts') return send({ error: { code: 3, message: 'execution reverted' } })
      answer(method, params).then(
        (result) => send({ result }),
        (error: Error) =>
          send({ error: { code: error instanceof Refused ? error.code : -32603, message: error.message } }),
      )
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const chain: TestChain = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    chainId,
    asked: [],
    trouble: null,
    claimedChainId: null,
    async deploy(creationCode, types = [], values = []) {
      const data = creationCode + AbiCoder.defaultAbiCoder().encode(types, values).slice(2)
      const { createdAddress } = await change({ to: null, data })
      return getAddress((createdAddress as Address).toString())
    },
    async transact({ from, to, signature, types, values }) {
      const data = id(signature).slice(0, 10) + AbiCoder.defaultAbiCoder().encode(types, values).slice(2)
      const { execResult } = await change({ ...(from ? { from } : {}), to, data })
      return bytesToHex(execResult.returnValue)
    },
    async setCode(address, code) {
      await current.putCode(createAddressFromString(address), hexToBytes(code as Hex))
      mine()
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return chain
}

class Refused extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** Whether the trouble was the whole answer. */
function misbehave(trouble: Trouble, response: ServerResponse): boolean {
  switch (trouble) {
    case 'refuses':
      response.writeHead(503).end('{}')
      return true
    case 'limits':
      response.writeHead(429).end('{"error":{"code":-32005}}')
      return true
    case 'hangs':
      return true
    case 'cuts':
      response.socket?.destroy()
      return true
    case 'talks-nonsense':
      response.end('<html>It works!</html>')
      return true
    case 'floods':
      response.end(`"${'0'.repeat(1_000_000)}"`)
      return true
    case 'redirects':
      response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()
      return true
    default:
      return false
  }
}

function quantity(value: number): string {
  return `0x${value.toString(16)}`
}

/** The parts of a block that contracts see. */
function block(number: number, time: bigint) {
  const coinbase = createAddressFromString(NOBODY)
  return {
    header: {
      number: BigInt(number),
      coinbase,
      cliqueSigner: () => coinbase,
      timestamp: time,
      difficulty: 0n,
      prevRandao: new Uint8Array(32),
      gasLimit: 30_000_000n,
      baseFeePerGas: 0n,
      getBlobGasPrice: () => 1n,
    },
  }
}
