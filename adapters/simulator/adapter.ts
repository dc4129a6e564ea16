import {
  type Adapter,
  type AdapterContext,
  AdapterError,
  type Capabilities,
  type HistoryQuery,
  type Inbound,
  type Receipt,
  type SendIntent,
} from '../../src/adapter/index.ts'
import { isSimulatorAddress, simulatorAddress } from './address.ts'
import type { SimulatorConfig } from './config.ts'
import { createSimulatorEnrolments } from './enrolment.ts'
import { type GatewayLine, joinedNetwork, type SimulatedMessage, type SimulatedNetwork } from './network.ts'
import { createSimulatorMirrors } from './opaque.ts'

const OUT_REASON = 'the simulated network is switched to outage'
const OUT_FIX = 'switch the outage off: network.faults.outage(false)'

/** A gateway's connection to a simulated network. */
export function createSimulatorAdapter(config: SimulatorConfig, context: AdapterContext): Adapter {
  const network = joinedNetwork(config, context.clock)
  const { echo, history, idempotentSend, maxFrameBytes } = network.settings
  const opaque = createSimulatorMirrors(network, context)
  let line: GatewayLine | null = null
  /** Aborts when the connection in use is lost, so that nobody waits for its answers. */
  let lost = new AbortController()
  const enrolment = createSimulatorEnrolments(network, context, connectedLine, answer)

  function report(up: boolean): void {
    if (up) {
      lost = new AbortController()
      context.state({ state: 'connected' })
      opaque.resume()
    } else {
      lost.abort()
      context.state({ state: 'transientDisconnect', reason: OUT_REASON, userAction: OUT_FIX })
    }
  }

  /** The line to the network, or `retryable` where nothing can have left. */
  function connectedLine(signal: AbortSignal): GatewayLine {
    if (signal.aborted)
      throw new AdapterError('retryable', 'aborted before anything was sent', { cause: signal.reason })
    if (!line) throw new AdapterError('retryable', 'the simulator adapter is not started')
    if (network.out) throw new AdapterError('retryable', OUT_REASON)
    return line
  }

  /** Waits for the network's answer; rejects with `uncertain` when it is waited for no longer. */
  async function answer(signal: AbortSignal): Promise<void> {
    if (network.latencyMs === 0) return
    const ended = AbortSignal.any([signal, lost.signal])
    await context.clock.sleep(network.latencyMs, ended).catch((cause: unknown) => {
      throw new AdapterError('uncertain', 'the answer of the simulated network did not come', { cause })
    })
  }

  async function send(intent: SendIntent, signal: AbortSignal): Promise<Receipt> {
    if (intent.frame.length > maxFrameBytes) {
      throw new AdapterError(
        'tooLarge',
        `a frame has at most ${maxFrameBytes} bytes, this one ${intent.frame.length}`,
      )
    }
    if (!isSimulatorAddress(intent.to.address)) {
      throw new AdapterError(
        'permanent',
        'the address has not the form of a simulated network: sim:<32 hex digits>',
      )
    }
    const { remoteId, answered } = connectedLine(signal).submit({
      frame: intent.frame,
      from: intent.from.address,
      to: intent.to.address,
      ephemeral: intent.ephemeral,
      gateway: context.gateway,
      transactionId: intent.transactionId,
    })
    await answer(signal)
    if (!answered)
      throw new AdapterError('uncertain', 'the simulated network took the frame and lost its answer')
    return { remoteIds: [remoteId] }
  }

  function inbound(message: SimulatedMessage, via: Inbound['via']): Inbound {
    return {
      frame: message.frame,
      remoteId: message.remoteId,
      to: message.to,
      from: message.from,
      via,
      remoteTime: message.time,
      transactionId: message.gateway === context.gateway ? message.transactionId : null,
    }
  }

  async function* walk(query: HistoryQuery, signal: AbortSignal): AsyncGenerator<Inbound> {
    connectedLine(signal)
    await answer(signal)
    for (const message of network.kept(query.since)) {
      connectedLine(signal)
      if (echo || message.gateway !== context.gateway) yield inbound(message, 'history')
    }
  }

  async function find(intent: SendIntent, signal: AbortSignal): Promise<Receipt | null> {
    const remoteId = connectedLine(signal).lookUp(intent.transactionId)
    await answer(signal)
    return remoteId === undefined ? null : { remoteIds: [remoteId] }
  }

  return {
    async start(signal) {
      if (signal.aborted) throw new AdapterError('retryable', 'start was aborted', { cause: signal.reason })
      if (line) return
      context.state({ state: 'connecting' })
      line = network.join({
        gateway: context.gateway,
        async receive(message) {
          await context.deliver(inbound(message, 'stream'))
        },
        connection: report,
      })
      opaque.start()
      report(!network.out)
    },
    async stop() {
      enrolment.stop()
      line?.leave()
      line = null
      opaque.stop()
      lost.abort()
      context.state({ state: 'stopped' })
    },
    capabilities: (): Capabilities => ({
      maxFrameBytes,
      echo,
      history,
      lookup: history,
      idempotentSend,
      ephemeral: true,
      reachesAnyone: true,
      sharedAddresses: false,
    }),
    send,
    describe: () => ({ network: config.network }),
    ...(history ? { history: { walk, find } } : {}),
    enrolment,
    identity: {
      addressOf: simulatorAddress,
      isAddress: isSimulatorAddress,
      ownAddress: () => null,
    },
    opaque,
    doctor: {
      async examine() {
        return [connectionFinding(network, line !== null)]
      },
    },
  }
}

function connectionFinding(network: SimulatedNetwork, started: boolean) {
  const check = 'connection'
  if (!started) {
    return {
      check,
      status: 'warning' as const,
      message: 'the adapter is not started',
      fix: 'start the gateway',
    }
  }
  if (network.out) return { check, status: 'error' as const, message: OUT_REASON, fix: OUT_FIX }
  return { check, status: 'ok' as const, message: 'joined to the simulated network' }
}
