/** Wallets that write to each other, and what they saw. */
import { Wallet } from 'ethers'
import type { WalletSigner } from '../../src/adapter/index.ts'
import {
  type Client,
  ClientError,
  createClient,
  type OutgoingMessage,
  type SealedMessage,
} from '../../src/client/index.ts'

const PAUSE_MS = 25
const PAGE = 100

export interface Person {
  name: string
  client: Client
  /** The wallet, for networks where a client signs in with it. */
  signer: WalletSigner
  /** Address by network. */
  addresses: Map<string, string>
  /** How often each message was shown, by id, whatever way it came. */
  shown: Map<string, number>
  /** Errors other than that the gateway was away. */
  complaints: string[]
  /** Ends the live stream. */
  close(): Promise<void>
}

/** Signs a new wallet in and listens to its live stream. */
export async function createPerson(name: string, gateway: string): Promise<Person> {
  const signer = Wallet.createRandom()
  const client = await createClient({ gateway, signer, deviceLabel: name })
  await client.signIn()
  const { endpoints } = await client.lookUp()
  const closing = new AbortController()
  const person: Person = {
    name,
    client,
    signer,
    addresses: new Map(endpoints.map(({ network, address }) => [network, address])),
    shown: new Map(),
    complaints: [],
    close: async () => {
      closing.abort()
      await listening
    },
  }
  const listening = listen(person, closing.signal)
  return person
}

/** Shows what comes over the live stream, over restarts of the gateway. */
async function listen(person: Person, signal: AbortSignal): Promise<void> {
  let after: string | undefined
  while (!signal.aborted) {
    try {
      for await (const entry of person.client.messages({ signal, ...(after ? { after } : {}) })) {
        after = entry.cursor
        if (entry.message) show(person, entry.id)
        else
          person.complaints.push(`${entry.id} came over the stream and could not be opened: ${entry.error}`)
      }
    } catch (error) {
      if (!isAway(error)) person.complaints.push(`stream: ${error}`)
      await pause(signal)
    }
  }
}

/** Opens a frame that the person's own client heard on a network. */
export async function hear(person: Person, network: string, frame: Uint8Array): Promise<void> {
  try {
    const message = await person.client.receive(frame, { network })
    if (message) show(person, message.id)
  } catch (error) {
    if (!isAway(error)) person.complaints.push(`${network}: ${error}`)
  }
}

function show(person: Person, id: string): void {
  person.shown.set(id, (person.shown.get(id) ?? 0) + 1)
}

/** Seals, as often as it takes: keys of peers are fetched from the gateway. */
export async function seal(
  person: Person,
  message: OutgoingMessage,
  signal: AbortSignal,
): Promise<SealedMessage> {
  for (;;) {
    signal.throwIfAborted()
    try {
      return await person.client.seal(message)
    } catch (error) {
      if (!isAway(error)) throw error
      await pause(signal)
    }
  }
}

/** Every id in the inbox, with how often it is there. */
export interface InboxReader {
  person: Person
  ids: Map<string, number>
  /** Reads what came since the last call. Rejects when an item cannot be opened. */
  readOn(): Promise<void>
}

export function createInboxReader(person: Person): InboxReader {
  const { client, name } = person
  const ids = new Map<string, number>()
  let after: string | undefined
  return {
    person,
    ids,
    async readOn() {
      for (;;) {
        const page = await client.inbox({ limit: PAGE, ...(after ? { after } : {}) })
        for (const { id, error } of page) {
          if (error) throw new Error(`${name} cannot open ${id} of the inbox`, { cause: error })
          ids.set(id, (ids.get(id) ?? 0) + 1)
        }
        after = page.at(-1)?.cursor ?? after
        if (page.length < PAGE) return
      }
    },
  }
}

/** The gateway did not answer, or answered that it cannot do so now. */
export function isAway(error: unknown): boolean {
  return (
    error instanceof ClientError &&
    (error.code === 'gateway-unreachable' ||
      error.code === 'gateway-answer-invalid' ||
      (error.status ?? 0) >= 500)
  )
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(done, PAUSE_MS)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
