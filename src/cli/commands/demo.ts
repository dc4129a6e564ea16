import type { NetworkClient } from '../../adapter/index.ts'
import { startGateway } from '../../main.ts'
import { createLog } from '../../observability/log.ts'
import { type Command, type CommandInput, EXIT, style } from '../command.ts'
import {
  addressOn,
  createParticipant,
  joinNetwork,
  type Participant,
  settledJourney,
  until,
} from '../demo.ts'
import { drawJourney } from '../draw-journey.ts'
import { waitUntilConnected } from '../wait-until-connected.ts'

export const command: Command = {
  summary: 'Show the main job end to end on local stand-ins, in about a minute.',
  usage: '',
  description:
    'Two wallets sign in. Alice’s real Waku light node publishes a sealed message; Bob’s real Tencent Chat client receives and opens it; Bob answers from TRTC and Alice gets it on Waku; one envelope sent over HTTP, Waku and TRTC at once arrives once. Exits 0 only if all of that happened.',
  options: {},
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const interruption = new AbortController()
    const signal = AbortSignal.any([input.signal, interruption.signal])
    const closing: (() => Promise<unknown>)[] = []
    try {
      await story(input, signal, closing)
      return EXIT.done
    } finally {
      interruption.abort(new Error('the demo is over'))
      for (const close of closing.reverse()) await close()
    }
  },
}

async function story(
  input: CommandInput,
  signal: AbortSignal,
  closing: (() => Promise<unknown>)[],
): Promise<void> {
  const step = steps(input)
  const running = await step('a gateway on the SANDBOX networks', async () => {
    const started = await startGateway({
      values: { server: { port: 0 }, networks: { waku: 'sandbox', trtc: 'sandbox' } },
      log: createLog({ level: 'silent' }),
    })
    closing.push(() => started.stop())
    const connected = await waitUntilConnected(started.gateway.networks, { signal, timeoutMs: 30_000 })
    if (!connected)
      throw new Error('a network of the sandbox did not connect; run: npm run causeway -- doctor')
    return started
  })
  const participant = async (name: string) => {
    const made = await createParticipant(name, running.url, signal)
    closing.push(() => made.close())
    return made
  }
  const [alice, bob] = await step('Alice and Bob sign in, each with one wallet signature', () =>
    Promise.all([participant('Alice'), participant('Bob')]),
  )
  await step('Alice joins Waku with @waku/sdk, and both join TRTC with @tencentcloud/chat', () =>
    Promise.all([
      joinNetwork(alice, 'waku', running),
      joinNetwork(alice, 'trtc', running),
      joinNetwork(bob, 'trtc', running),
    ]),
  )

  const question = await alice.client.seal({ to: bob.client.account, text: 'Hello Bob, this left on Waku.' })
  await step('Alice publishes a sealed message on Waku; Bob opens it on TRTC', async () => {
    await clientOf(alice, 'waku').send(await addressOn('waku', bob.client), question.frame)
    await opened(bob, question.id, 'trtc')
  })
  const answer = await bob.client.seal({
    to: alice.client.account,
    text: 'Hello Alice, this left on TRTC.',
    replyTo: question.id,
  })
  await step('Bob answers from TRTC; Alice opens it on Waku', async () => {
    await clientOf(bob, 'trtc').send(await addressOn('trtc', alice.client), answer.frame)
    await opened(alice, answer.id, 'waku')
  })
  const thrice = await alice.client.seal({ to: bob.client.account, text: 'This left three times.' })
  await step('one envelope over HTTP, Waku and TRTC at once arrives once', async () => {
    await Promise.all([
      alice.client.submit(thrice),
      clientOf(alice, 'waku').send(await addressOn('waku', bob.client), thrice.frame),
      clientOf(alice, 'trtc').send(await addressOn('trtc', bob.client), thrice.frame),
    ])
    await opened(bob, thrice.id)
    await settledJourney(alice.client, thrice.id)
    const shown = bob.messages.filter(({ id }) => id === thrice.id).length
    const kept = (await bob.client.inbox({ limit: 100 })).filter(({ id }) => id === thrice.id).length
    if (shown !== 1 || kept !== 1) throw new Error(`shown ${shown} times, in the inbox ${kept} times`)
  })

  await Promise.all([alice.client.flush(), bob.client.flush()])
  for (const { id } of [question, answer, thrice]) {
    const journey = await settledJourney(alice.client, id)
    input.print(input.json ? JSON.stringify(journey) : `\n${drawJourney(journey)}`)
  }
  if (!input.json)
    input.print(
      `\n${style('green', 'All of it happened.')} SANDBOX: the networks were local stand-ins; the clients were the real SDKs.`,
    )
}

function clientOf(participant: Participant, network: string): NetworkClient {
  const client = participant.networks.get(network)
  if (!client) throw new Error(`${participant.name} has not joined ${network}`)
  return client
}

/** Waits until the participant has opened the message, and a copy of it has come over the network if one is named. */
async function opened(participant: Participant, id: string, network?: string): Promise<void> {
  const way = network ? ` on ${network}` : ''
  await until(`${participant.name} to open ${id.slice(0, 8)}${way}`, () =>
    participant.messages.find((message) => message.id === id),
  )
  if (network)
    await until(`a copy for ${participant.name}${way}`, () =>
      participant.arrivals.get(network)?.has(id) ? true : undefined,
    )
}

/** Prints each step with its time. */
function steps(input: CommandInput): <Value>(name: string, work: () => Promise<Value>) => Promise<Value> {
  return async (name, work) => {
    const startedAt = performance.now()
    try {
      const value = await work()
      const time = `${(performance.now() - startedAt).toFixed(0)} ms`.padStart(9)
      if (input.json) input.print(JSON.stringify({ step: name, milliseconds: performance.now() - startedAt }))
      else input.print(`${style('green', '✓')} ${style('dim', time)}  ${name}`)
      return value
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error })
    }
  }
}
