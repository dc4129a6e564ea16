import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestChain, type TestChain } from '../identity/testing/chain.ts'
import { examineChain } from './examine-chains.ts'

let chain: TestChain

beforeAll(async () => {
  chain = await startTestChain('10')
})

afterAll(() => chain?.stop())

it('tells whether the node of a chain can check signatures', async () => {
  const examine = (id: string) => examineChain(id, { rpcUrl: chain.url }, new AbortController().signal)
  expect(await examine('10')).toMatchObject({ check: 'chain 10', status: 'ok' })
  expect(await examine('137')).toMatchObject({
    status: 'error',
    fix: expect.stringContaining('of this chain'),
  })
  chain.trouble = 'reverts'
  expect(await examine('10')).toMatchObject({ status: 'error', fix: expect.stringContaining('eth_call') })
})
