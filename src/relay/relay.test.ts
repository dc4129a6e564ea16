import { afterEach, expect, test } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { decodeFrame, toHex } from '../envelope/index.ts'
import { createPerson, FALLBACK, nativeFrame, RelayBench, seal } from './testing/bench.ts'
import { scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

test('mirror: a submitted envelope reaches every endpoint once, and the inboxes of both wallets', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku] = [bench.network(), bench.network()]
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku, trtc }, wallets: [alice, bob] })
  const heard: string[] = []
  const address = simulatorAddress(bob.wallet)
  trtc.attachClient(address, (frame) => heard.push(`trtc ${toHex(decodeFrame(frame).id)}`))
  waku.attachClient(address, (frame) => heard.push(`waku ${toHex(decodeFrame(frame).id)}`))

  const { id, bytes } = await seal(alice, [bob])
  const accepted = await gateway.submit(alice, bytes)
  expect(accepted.duplicate).toBe(false)
  expect(accepted.deliveries.map(({ network, state }) => [network, state])).toEqual([
    ['trtc', 'dispatching'],
    ['waku', 'dispatching'],
  ])
  await waitFor(() => heard.length === 2)
  expect(heard.toSorted()).toEqual([`trtc ${toHex(id)}`, `waku ${toHex(id)}`])
  await waitFor(async () => (await gateway.deliveries(id)).every(({ state }) => state === 'acknowledged'))
  expect((await gateway.inbox(bob)).map(({ direction }) => direction)).toEqual(['received'])
  expect((await gateway.inbox(alice)).map(({ direction }) => direction)).toEqual(['sent'])
  await waitFor(async () => {
    const { checkpoints } = await gateway.relay.journey(id)
    return checkpoints.filter(({ name }) => name === 'remoteEcho').length === 2
  })
  expect(gateway.problems).toEqual([])
})

test('a frame heard on one network leaves over the other, and never over the one where it was', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku] = [bench.network(), bench.network()]
  const gateway = await bench.gateway({ name: 'gw-a', networks: { waku, trtc }, wallets: [alice, bob] })
  const { id, bytes } = await seal(alice, [bob])
  waku.inject({ frame: nativeFrame(alice, bytes), to: simulatorAddress(bob.wallet) })
  await waitFor(async () => (await gateway.inbox(bob)).length === 1)
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'acknowledged')
  expect((await gateway.delivery(id, 'waku')).state).toBe('acknowledged')
  expect(waku.kept().length).toBe(1)
  expect(trtc.kept().length).toBe(1)
  const sent = decodeFrame(trtc.kept()[0]!.frame)
  expect(sent.trace).toMatchObject([{ gateway: 'gw-a', network: 'waku' }])
  expect(sent.certificate).not.toBeNull()
})

test('fallback: while the first network is out the second carries, and the first stays quiet when it is back', async () => {
  const [alice, bob] = [createPerson(), createPerson()]
  const [trtc, waku] = [bench.network(), bench.network()]
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku, trtc },
    wallets: [alice, bob],
    route: FALLBACK,
  })
  await trtc.faults.outage(true)
  const { id, bytes } = await seal(alice, [bob])
  await gateway.submit(alice, bytes)
  await waitFor(async () => (await gateway.delivery(id, 'waku')).state === 'acknowledged')
  await waitFor(async () => (await gateway.delivery(id, 'trtc')).state === 'superseded')
  await trtc.faults.outage(false)
  const next = await seal(alice, [bob])
  await gateway.submit(alice, next.bytes)
  await waitFor(async () => (await gateway.delivery(next.id, 'trtc')).state === 'acknowledged')
  expect(trtc.kept().map(({ frame }) => toHex(decodeFrame(frame).id))).toEqual([toHex(next.id)])
  expect((await gateway.delivery(next.id, 'waku')).state).toBe('superseded')
  expect(waku.kept().length).toBe(1)
})

test('two recipients at one shared address get one copy, and both deliveries are acknowledged by it', async () => {
  const [alice, bob, carol] = [createPerson(), createPerson(), createPerson()]
  const network = scripted({ addressOf: () => 'at:bucket', capabilities: { sharedAddresses: true } })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: network.definition },
    wallets: [alice, bob, carol],
  })
  const { id, bytes } = await seal(alice, [bob, carol])
  await gateway.submit(alice, bytes)
  const settled = await waitFor(async () => {
    const deliveries = await gateway.deliveries(id)
    return deliveries.every(({ state }) => state === 'acknowledged') && deliveries
  })
  expect(settled.map(({ wallet, remoteIds }) => [wallet, remoteIds])).toEqual([
    [bob.wallet, ['remote-1']],
    [carol.wallet, ['remote-1']],
  ])
  expect(network.sends.length).toBe(1)
})
