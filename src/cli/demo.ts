/** The main job, end to end, on the real SDKs of the networks and their local stand-ins. */
import { Wallet } from 'ethers'
import type { NetworkClient, WalletSigner } from '../adapter/index.ts'
import { loadSandbox } from '../adapter/registry.ts'
import { type Client, createClient, type Journey, type Message } from '../client/index.ts'
import { decodeFrame, FRAME_KIND, toHex } from '../envelope/index.ts'
import type { RunningGateway } from '../main.ts'

/** A wallet's client together with its real clients on the networks. */
export interface Participant {
  name: string
  client: Client
  signer: WalletSigner
  networks: Map<string, NetworkClient>
  /** Messages that were opened, each once, in order of arrival over any way. */
  messages: Message[]
  /** Times at which copies of an envelope arrived, by network and id; `performance.now()`. */
  arrivals: Map<string, Map<string, number[]>>
  /** Takes parcels of opaque mirroring, which the wallet's own SDK of their network opens. */
  onParcel?: (frame: Uint8Array, network: string) => void
  close(): Promise<void>
}

/** Signs a fresh wallet in. */
export async function createParticipant(
  name: string,
  gateway: string,
  signal: AbortSignal,
): Promise<Participant> {
  const signer = Wallet.createRandom()
  const client = await createClient({
    gateway,
    signer,
    deviceLabel: `demo device of ${name}`,
  })
  await client.signIn()
  const participant: Participant = {
    name,
    client,
    signer,
    networks: new Map(),
    messages: [],
    arrivals: new Map(),
    close: async () => {
      await Promise.all([...participant.networks.values()].map((network) => network.close()))
    },
  }
  const live = client.messages({ signal })
  participant.close = closing(participant.close, drain(live, participant.messages))
  return participant
}

/** Joins a network with its unmodified SDK, as the wallet itself, and opens what arrives there. */
export async function joinNetwork(
  participant: Participant,
  network: string,
  running: RunningGateway,
): Promise<void> {
  const { client } = participant
  const { endpoints } = await client.lookUp()
  const endpoint = endpoints.find((candidate) => candidate.network === network)
  const status = running.gateway.networks.list().find((candidate) => candidate.network === network)
  if (!endpoint || !status) throw new Error(`${participant.name} has no endpoint on ${network}`)
  const needsCredentials = running.gateway.networks.get(network)?.adapter.credentials !== undefined
  const { connectClient } = await loadSandbox(network)
  const connected = await connectClient({
    address: endpoint.address,
    description: status.description,
    credentials: needsCredentials ? await client.credentials(network) : null,
    signer: participant.signer,
  })
  listen(participant, network, connected)
}

/** Opens what arrives at a client of the participant's. */
export function listen(participant: Participant, network: string, connected: NetworkClient): void {
  const arrived = participant.arrivals.get(network) ?? new Map<string, number[]>()
  participant.arrivals.set(network, arrived)
  connected.onFrame((frame) => {
    const { id: bytes, kind } = decodeFrame(frame)
    const id = toHex(bytes)
    arrived.set(id, [...(arrived.get(id) ?? []), performance.now()])
    if (kind === FRAME_KIND.opaque) {
      participant.onParcel?.(frame, network)
      return
    }
    participant.client.receive(frame, { network }).then(
      (message) => message && participant.messages.push(message),
      (error: unknown) =>
        console.error(
          `${participant.name}: a frame from ${network} was not opened: ${(error as Error).message}`,
        ),
    )
  })
  participant.networks.set(network, connected)
}

/** Puts a frame on a network with the participant's own client there, for another wallet. */
export async function sendOver(
  network: string,
  from: Participant,
  to: Client,
  frame: Uint8Array,
): Promise<void> {
  const client = from.networks.get(network)
  if (!client) throw new Error(`${from.name} has not joined ${network}`)
  await client.send(client.gatewayAddress ?? (await addressOn(network, to)), frame)
}

/** Address of a wallet on a network, as anyone can look it up. */
export async function addressOn(network: string, client: Client): Promise<string> {
  const { endpoints } = await client.lookUp()
  const endpoint = endpoints.find((candidate) => candidate.network === network)
  if (!endpoint) throw new Error(`no endpoint on ${network}`)
  return endpoint.address
}

/** Waits for a condition. Rejects with what was waited for. */
export async function until<Value>(
  what: string,
  read: () => Value | undefined | false | Promise<Value | undefined | false>,
  timeoutMs = 30_000,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const value = await read()
    if (value !== undefined && value !== false) return value
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The journey once every delivery of it has ended. */
export function settledJourney(client: Client, id: string): Promise<Journey> {
  return until(`the deliveries of ${id.slice(0, 8)} to end`, async () => {
    const journey = await client.journey(id)
    const open = journey.deliveries.some(({ state }) =>
      ['pending', 'dispatching', 'uncertain'].includes(state),
    )
    return open ? undefined : journey
  })
}

async function drain(live: ReturnType<Client['messages']>, into: Message[]): Promise<void> {
  for await (const { message } of live) if (message) into.push(message)
}

function closing(close: () => Promise<void>, stream: Promise<void>): () => Promise<void> {
  const ended = stream.catch((error: unknown) => error)
  return async () => {
    await close()
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1_000))])
  }
}
