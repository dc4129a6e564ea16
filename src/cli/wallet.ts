/** Which wallet a command acts as. */
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { type Client, createClient, type GatewayInfo, readGateway } from '../client/index.ts'
import { H, toHex } from '../envelope/index.ts'
import { type CommandInput, gatewayUrl, type OptionDefinition, text, UsageError } from './command.ts'
import { fileStorage } from './file-storage.ts'

export const WALLET_OPTIONS: Record<string, OptionDefinition> = {
  as: {
    type: 'string',
    description: 'Act as a test wallet of this name, e.g. alice. Sandbox gateways only.',
  },
  'key-file': {
    type: 'string',
    description: 'File with the private key of the wallet (hex). Default: $CAUSEWAY_WALLET_KEY_FILE.',
  },
}

const NAME = /^[a-z][a-z0-9-]{0,31}$/

/**
 * A wallet for trying things out: its key follows from its name, so everyone has it. Refused on gateways that are not a
 * sandbox.
 */
export function testWallet(name: string): Wallet {
  if (!NAME.test(name))
    throw new UsageError(`"${name}" is no test wallet: use 1 to 32 lower-case letters, digits or hyphens`)
  return new Wallet(`0x${toHex(H('causeway/sandbox-wallet/1', name))}`)
}

/** Signs in as the wallet that the options name. */
export async function openWallet(input: CommandInput): Promise<Client> {
  const gateway = gatewayUrl(input)
  const info = await readGateway(gateway)
  const name = text(input, 'as')
  if (name !== undefined) return openTestWallet(gateway, info, name)
  const keyFile = text(input, 'key-file') ?? process.env.CAUSEWAY_WALLET_KEY_FILE
  if (!keyFile) throw new UsageError('name a wallet: --key-file <file>, or in the sandbox --as alice')
  let wallet: Wallet
  try {
    wallet = new Wallet((await readFile(keyFile, 'utf8')).trim())
  } catch (cause) {
    throw new UsageError(`${keyFile}: no readable private key of 32 bytes in hex`, { cause })
  }
  return signedIn(gateway, info, wallet)
}

/** Account of a recipient as typed: a wallet, or the name of a test wallet, which is made reachable if it is not yet. */
export async function resolveRecipient(input: CommandInput, recipient: string): Promise<string> {
  if (!NAME.test(recipient)) return recipient
  const gateway = gatewayUrl(input)
  const info = await readGateway(gateway)
  const client = await openTestWallet(gateway, info, recipient)
  return client.account
}

async function openTestWallet(gateway: string, info: GatewayInfo, name: string): Promise<Client> {
  if (!info.sandbox) {
    throw new UsageError(
      `${gateway} is not a sandbox: test wallets like "${name}" are for sandboxes only; use --key-file`,
    )
  }
  return signedIn(gateway, info, testWallet(name))
}

/** State is kept per gateway, so that a sandbox that forgot everything is met as a new one. */
async function signedIn(gateway: string, info: GatewayInfo, wallet: Wallet): Promise<Client> {
  const directory = process.env.CAUSEWAY_CLIENT_DIRECTORY ?? join(homedir(), '.causeway')
  const storage = await fileStorage(join(directory, info.id, wallet.address.toLowerCase()))
  const client = await createClient({
    gateway,
    signer: wallet,
    storage,
    deviceLabel: 'causeway command line',
  })
  await client.signIn()
  return client
}
