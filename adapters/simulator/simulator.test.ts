import { describe, expect, it } from 'vitest'
import type { Adapter, AdapterError, SendIntent } from '../../src/adapter/index.ts'
import {
  createRecordingContext,
  createVirtualClock,
  randomFrame,
  randomHex,
  waitFor,
} from '../../src/adapter/testing/index.ts'
import simulator, { createSimulatedNetwork, isSimulatorAddress, simulatorAddress } from './index.ts'

const wallet = `eip155:*:0x${'ab'.repeat(20)}`
const to = { wallet, address: simulatorAddress(wallet) }
const { signal } = new AbortController()

function intent(change: Partial<SendIntent> = {}): SendIntent {
  return {
    transactionId: randomHex(16),
    envelopeId: randomFrame(32),
    frame: randomFrame(),
    to,
    from: { wallet, address: null },
    conversation: randomFrame(32),
    ephemeral: false,
    silent: false,
    attempt: 1,
    ...change,
  }
}

function join(name: string, gateway: string, clock = createVirtualClock()) {
  const context = createRecordingContext({ gateway, clock })
  const adapter = simulator.create(simulator.config.parse({ network: name }), context)
  return { adapter, context }
}

const classOf = (sending: Promise<unknown>) =>
  sending.then(
    () => 'sent',
    (error: AdapterError) => error.class,
  )

describe('several gateways on one simulated network', () => {
  it('hear each other, and know only their own transactions', async () => {
    const clock = createVirtualClock()
    const network = createSimulatedNetwork({ name: randomHex(4), clock })
    const name = network.name
    const [first, second] = [join(name, 'first', clock), join(name, 'second', clock)]
    await first.adapter.start(signal)
    await second.adapter.start(signal)
    const sent = intent()
    const receipt = await first.adapter.send(sent, signal)
    await clock.advance(0)
    expect(receipt).toEqual({ remoteIds: ['sim-1'] })
    expect(first.context.heard(sent.frame)[0]).toMatchObject({
      remoteId: 'sim-1',
      transactionId: sent.transactionId,
    })
    expect(second.context.heard(sent.frame)[0]).toMatchObject({ remoteId: 'sim-1', transactionId: null })
    expect(await second.adapter.history?.find(sent, signal), "find is about the gateway's own sends").toBe(
      null,
    )
    network.close()
    expect(first.context.lastState()).toBe('transientDisconnect')
  })

  it('make a network by its name, the first with its settings', async () => {
    const name = randomHex(4)
    const context = createRecordingContext()
    const make = (settings: object) =>
      simulator.create(simulator.config.parse({ network: name, ...settings }), context)
    expect(make({ maxFrameBytes: 500, history: false }).capabilities()).toMatchObject({
      maxFrameBytes: 500,
      history: false,
    })
    expect(make({ maxFrameBytes: 900 }).capabilities().maxFrameBytes).toBe(500)
    expect(() => createSimulatedNetwork({ name })).toThrow(RangeError)
  })
})

describe('the simulator in time', () => {
  it('delivers and answers after the latency, by the clock it is given', async () => {
    const clock = createVirtualClock()
    const network = createSimulatedNetwork({ name: randomHex(4), clock, latencyMs: 200 })
    const { adapter, context } = join(network.name, 'gateway', clock)
    await adapter.start(signal)
    const sent = intent()
    let answered = false
    const sending = adapter.send(sent, signal).then(() => {
      answered = true
    })
    await clock.advance(199)
    expect([answered, context.heard(sent.frame).length]).toEqual([false, 0])
    await clock.advance(1)
    await sending
    expect(context.heard(sent.frame)).toHaveLength(1)
    network.close()
  })

  it('delivers again, later and later, what the gateway turns away', async () => {
    const clock = createVirtualClock()
    const network = createSimulatedNetwork({ name: randomHex(4), clock })
    const { adapter, context } = join(network.name, 'gateway', clock)
    await adapter.start(signal)
    context.rejectDeliveries(true)
    const frame = randomFrame()
    network.inject({ frame, to: to.address })
    await clock.advance(0)
    expect(context.offered(frame)).toHaveLength(1)
    await clock.advance(50)
    expect(context.offered(frame)).toHaveLength(2)
    await clock.advance(99)
    expect(context.offered(frame)).toHaveLength(2)
    await clock.advance(1)
    expect(context.offered(frame)).toHaveLength(3)
    context.rejectDeliveries(false)
    await clock.advance(10_000)
    expect([context.offered(frame).length, context.heard(frame).length]).toEqual([4, 1])
    network.close()
  })
})

describe('faults', () => {
  it('a send is uncertain when the answer is lost, is aborted for, or is cut off; and it was taken', async () => {
    const clock = createVirtualClock()
    const network = createSimulatedNetwork({ name: randomHex(4), clock, latencyMs: 100, answerLoss: 1 })
    const { adapter } = join(network.name, 'gateway', clock)
    await adapter.start(signal)

    const lost = intent()
    const losing = classOf(adapter.send(lost, signal))
    await clock.advance(100)
    expect(await losing).toBe('uncertain')

    network.faults.answerLoss(0)
    const abort = new AbortController()
    const aborted = intent()
    const aborting = classOf(adapter.send(aborted, abort.signal))
    abort.abort()
    expect(await aborting).toBe('uncertain')

    const cut = intent()
    const cutting = classOf(adapter.send(cut, signal))
    await network.faults.outage(true)
    expect(await cutting).toBe('uncertain')
    expect(await classOf(adapter.send(intent(), signal))).toBe('retryable')

    await network.faults.outage(false)
    for (const one of [lost, aborted, cut]) {
      const finding = adapter.history!.find(one, signal)
      await clock.advance(100)
      expect(await finding).not.toBe(null)
    }
    expect(network.kept()).toHaveLength(3)
    network.close()
  })

  it('lose about the share that is set, for gateways and clients each on their own', async () => {
    const network = createSimulatedNetwork({ name: randomHex(4), seed: 5, loss: 0.25 })
    let client = 0
    const { adapter, context } = join(network.name, 'gateway')
    await adapter.start(signal)
    const detach = network.attachClient(to.address, () => {
      client += 1
    })
    for (let count = 0; count < 2000; count += 1) network.inject({ frame: randomFrame(16), to: to.address })
    await waitFor(() => network.idle, { what: 'all deliveries' })
    for (const heard of [client, context.deliveries.length]) {
      expect(heard).toBeGreaterThan(1400)
      expect(heard).toBeLessThan(1600)
    }
    expect(network.kept()).toHaveLength(2000)
    detach()
    network.close()
  })

  it('refuse shares and times out of range', () => {
    const network = createSimulatedNetwork()
    for (const share of [-0.1, 1.1, Number.NaN]) {
      expect(() => network.faults.loss(share)).toThrow(RangeError)
      expect(() => createSimulatedNetwork({ duplication: share })).toThrow()
    }
    expect(() => network.faults.latency(-1)).toThrow(RangeError)
  })
})

describe('what the network keeps', () => {
  it('is the newest messages, as they were sent, from a time on', async () => {
    const clock = createVirtualClock(5_000)
    const network = createSimulatedNetwork({ clock, retainMessages: 3 })
    for (const byte of [1, 2, 3, 4, 5]) {
      const frame = Uint8Array.of(byte)
      network.inject({ frame, to: to.address })
      frame.fill(99)
      await clock.advance(1000)
    }
    expect(network.kept().map(({ frame }) => frame[0])).toEqual([3, 4, 5])
    expect(network.kept(8_000).map(({ frame }) => frame[0])).toEqual([4, 5])
    network.kept()[0]!.frame.fill(0)
    expect(network.kept()[0]!.frame[0]).toBe(3)
    expect(() => network.redeliver('sim-1')).toThrow(RangeError)
  })

  it('lets a walk end with retryable when the network goes out half-way', async () => {
    const network = createSimulatedNetwork({ name: randomHex(4) })
    const { adapter } = join(network.name, 'gateway')
    await adapter.start(signal)
    for (let count = 0; count < 3; count += 1) network.inject({ frame: randomFrame(), to: to.address })
    const walk = async (of: Adapter) => {
      for await (const _ of of.history!.walk({ since: 0, pairs: [] }, signal))
        await network.faults.outage(true)
    }
    expect(await classOf(walk(adapter))).toBe('retryable')
    network.close()
  })
})

describe('addresses and configuration', () => {
  it('address vector', () => {
    expect(simulatorAddress('eip155:*:0x0000000000000000000000000000000000000001')).toBe(ADDRESS_OF_ONE)
    for (const wrong of [
      'sim:',
      'sim:zz',
      ADDRESS_OF_ONE.toUpperCase(),
      `${ADDRESS_OF_ONE}0`,
      ` ${ADDRESS_OF_ONE}`,
    ]) {
      expect(isSimulatorAddress(wrong)).toBe(false)
    }
  })

  it('configuration is strict, with defaults and a description for each key', () => {
    expect(simulator.config.parse({})).toMatchObject({
      network: 'main',
      latencyMs: 0,
      history: true,
      echo: true,
    })
    expect(simulator.config.safeParse({ unknown: 1 }).success).toBe(false)
    expect(simulator.config.safeParse({ loss: 2 }).success).toBe(false)
    for (const [key, schema] of Object.entries(simulator.config.shape)) {
      expect(schema.description, key).toBeTruthy()
    }
  })
})

const ADDRESS_OF_ONE = 'sim:fa179ea8dc19696c0c8e00e9dc3eeca8'
