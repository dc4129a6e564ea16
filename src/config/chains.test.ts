import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from './load.ts'

const networks = { simulator: {} }
const load = async (identity: object, environment: Record<string, string> = {}) =>
  (await loadConfig({ values: { networks, identity }, environment })).config.identity.chains
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-chains-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

describe('nodes of chains', () => {
  it('come from the file, with bounds', async () => {
    expect(await load({})).toEqual({})
    expect(await load({ chains: { 1: { rpcUrl: 'https://node.example/key' } } })).toEqual({
      1: { rpcUrl: 'https://node.example/key', timeoutMs: 5_000, maxInFlight: 8 },
    })
  })

  it('come from the environment, or from files that it names, and stand over the file', async () => {
    const file = join(directory, 'rpc')
    await writeFile(file, 'https://node.example/from-file\n')
    const chains = await load(
      { chains: { 1: { rpcUrl: 'https://old.example', timeoutMs: 1_000 } } },
      {
        CAUSEWAY_CHAIN_1_RPC_URL: 'https://node.example/key',
        CAUSEWAY_CHAIN_8453_RPC_URL_FILE: file,
        CAUSEWAY_CHAIN_X_RPC_URL: 'https://ignored.example',
      },
    )
    expect(chains).toMatchObject({
      1: { rpcUrl: 'https://node.example/key', timeoutMs: 1_000 },
      8453: { rpcUrl: 'https://node.example/from-file' },
    })
    expect(Object.keys(chains)).toHaveLength(2)
  })

  it.each(['ftp://node.example', 'node.example', 'https://user:hunter2@node.example', ''])(
    'are refused with the URL %j, which is not repeated',
    async (rpcUrl) => {
      const error = await load({ chains: { 1: { rpcUrl } } }).catch((reason: Error) => reason)
      expect(error).toMatchObject({ code: 'config-invalid' })
      expect(String(error)).not.toMatch(/hunter2|ftp:/)
    },
  )

  it.each(['01', '0', 'mainnet', 'eip155:1'])('are refused for the chain %j', async (chain) => {
    await expect(load({ chains: { [chain]: { rpcUrl: 'https://node.example' } } })).rejects.toMatchObject({
      code: 'config-invalid',
    })
  })
})
