import { describe, expect, it } from 'vitest'
import { waitFor } from '../adapter/testing/index.ts'
import { ClientError } from './errors.ts'
import { createReceipts, type Receipt } from './receipts.ts'

const receipt = (n: number): Receipt => ({ id: String(n), network: 'http', kind: 'delivered', at: n })

/** An API that notes what is posted and fails as it is told. */
function recorder(failures: Error[] = []) {
  const batches: Receipt[][] = []
  let calls = 0
  const api = {
    async post<Answer>(_path: string, body: unknown): Promise<Answer> {
      calls++
      const failure = failures.shift()
      if (failure) throw failure
      batches.push((body as { receipts: Receipt[] }).receipts)
      return {} as Answer
    },
  }
  return { receipts: createReceipts(api), batches, calls: () => calls }
}

describe('receipts', () => {
  it('are posted together, as many as the API takes', async () => {
    const { receipts, batches } = recorder()
    for (let n = 0; n < 600; n++) receipts.add(receipt(n))
    await waitFor(() => batches.length === 3)
    expect(batches.map((batch) => batch.length)).toEqual([256, 256, 88])
    expect(batches.flat().map(({ at }) => at)).toEqual(Array.from({ length: 600 }, (_, n) => n))
  })

  it('are kept while the gateway is away or asks for a pause', async () => {
    const { receipts, batches, calls } = recorder([
      new ClientError('gateway-unreachable', 'away'),
      new ClientError('gateway-refused', 'slower', { status: 429, retryAfterMs: 300 }),
    ])
    receipts.add(receipt(1))
    await receipts.flush()
    receipts.add(receipt(2))
    expect(batches).toEqual([])
    await waitFor(() => batches.length === 1)
    expect(batches[0]).toEqual([receipt(1), receipt(2)])
    expect(calls()).toBe(3)
  })

  it('are given up when the gateway refuses them for good', async () => {
    const { receipts, batches } = recorder([new ClientError('gateway-refused', 'ended', { status: 401 })])
    receipts.add(receipt(1))
    await receipts.flush()
    await receipts.flush()
    expect(batches).toEqual([])
  })
})
