import { startGateway } from '../../main.ts'
import { createLog } from '../../observability/log.ts'
import { type Command, type CommandInput, EXIT, style } from '../command.ts'
import { createParticipant, joinNetwork, type Participant, sendOver, settledJourney, until } from '../demo.ts'
import { drawJourney } from '../draw-journey.ts'
import { waitUntilConnected } from '../wait-until-connected.ts'

const NETWORKS = [
  { network: 'waku', title: 'Waku' },
  { network: 'xmtp', title: 'XMTP' },
  { network: 'push', title: 'Push' },
  { network: 'trtc', title: 'TRTC' },
] as const

export const command: Command = {
  summary: 'Show the main job end to end on local stand-ins, in about a minute.',
  usage: '',
  description:
    'Two wallets sign in and join XMTP, Push, Waku and TRTC with the networks’ own SDKs. A sealed message goes from each network to the next, all the way round; then one envelope, sent over HTTP and all four networks at once, arrives once, and the journeys are drawn. Exits 0 only if all of that happened.',
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
      values: {
        server: { port: 0 },
        networks: Object.fromEntries(NETWORKS.map(({ network }) => [network, 'sandbox'])),
      },
      log: createLog({ level: 'silent' }),
    })
    closing.push(() => started.stop())
    const connected = await waitUntilConnected(started.gateway.networks, { signal, timeoutMs: 60_000 })
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
  await step(`both join ${NETWORKS.map(({ title }) => title).join(', ')} with the networks’ own SDKs`, () =>
    Promise.all(
      [alice, bob].flatMap((one) => NETWORKS.map(({ network }) => joinNetwork(one, network, running))),
    ),
  )

  const ids: string[] = []
  let [from, to] = [alice, bob]
  // Around all networks: what left on one is opened on the next, and answered from there.
  for (const [place, { network, title }] of NETWORKS.entries()) {
    const next = NETWORKS[(place + 1) % NETWORKS.length] ?? NETWORKS[0]
    const message = await from.client.seal({
      to: to.client.account,
      text: `Hello ${to.name}, this left on ${title}.`,
      ...(ids.length > 0 ? { replyTo: ids.at(-1) } : {}),
    })
    await step(
      `${from.name} sends a sealed message on ${title}; ${to.name} opens it on ${next.title}`,
      async () => {
        await sendOver(network, from, to.client, message.frame)
        await opened(to, message.id, next.network)
      },
    )
    ids.push(message.id)
    ;[from, to] = [to, from]
  }

  const everywhere = await alice.client.seal({ to: bob.client.account, text: 'This left five times.' })
  ids.push(everywhere.id)
  await step('one envelope over HTTP and all four networks at once arrives once', async () => {
    await Promise.all([
      alice.client.submit(everywhere),
      ...NETWORKS.map(({ network }) => sendOver(network, alice, bob.client, everywhere.frame)),
    ])
    await opened(bob, everywhere.id)
    await settledJourney(alice.client, everywhere.id)
    const shown = bob.messages.filter(({ id }) => id === everywhere.id).length
    const kept = (await bob.client.inbox({ limit: 100 })).filter(({ id }) => id === everywhere.id).length
    if (shown !== 1 || kept !== 1) throw new Error(`shown ${shown} times, in the inbox ${kept} times`)
  })

  await Promise.all([alice.client.flush(), bob.client.flush()])
  for (const id of ids) {
    const journey = await settledJourney(alice.client, id)
    input.print(input.json ? JSON.stringify(journey) : `\n${drawJourney(journey)}`)
  }
  if (!input.json)
    input.print(
      `\n${style('green', 'All of it happened.')} SANDBOX: the networks were local stand-ins; the clients were the real SDKs.`,
    )
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
