/** An enrolment that its network has confirmed, and that the gateway then cannot keep. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import {
  createSimulatedNetwork,
  type SimulatedNetwork,
  simulatorSignature,
} from '../../adapters/simulator/index.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let directory: string
let network: SimulatedNetwork
let gateway: TestGateway

beforeAll(async () => {
  network = createSimulatedNetwork({ name: `hop-unkept-${randomBytes(8).toString('hex')}` })
  directory = await mkdtemp(join(tmpdir(), 'causeway-hop-unkept-'))
  gateway = await startTestGateway({
    data: { directory },
    networks: { simulator: { network: network.name } },
  })
}, 60_000)

afterAll(async () => {
  vi.restoreAllMocks()
  await gateway?.stop()
  network?.close()
  await rm(directory, { recursive: true, force: true })
}, 60_000)

it.each(['a failure of the store', 'its end meanwhile', 'a close that fails as well'])(
  'is closed at the network after %s',
  async (cause) => {
    const facet = gateway.gateway.networks.get('simulator')?.adapter.enrolment
    if (!facet) throw new Error('no hop mode')
    const client = await gateway.signIn()
    const begun = await client.enrolments.begin('simulator')
    const completing = vi.spyOn(gateway.gateway.store, 'completeEnrolment')
    if (cause === 'its end meanwhile') completing.mockResolvedValueOnce(null)
    else completing.mockRejectedValueOnce(new Error('the disk is full'))
    const closing = vi.spyOn(facet, 'close').mockClear()
    if (cause === 'a close that fails as well') closing.mockRejectedValueOnce(new Error('gone'))
    const signature = simulatorSignature(client.wallet, begun.text)
    await expect(client.enrolments.complete(begun, { signature })).rejects.toThrow()
    expect(closing.mock.calls).toEqual([[begun.id]])
    expect((await client.enrolments.list()).filter(({ state }) => state === 'active')).toEqual([])
  },
  60_000,
)
