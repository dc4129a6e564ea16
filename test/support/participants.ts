/** What became of messages for a participant of the demo. */
import { waitFor } from '../../src/adapter/testing/index.ts'
import type { Participant } from '../../src/cli/demo.ts'

const LIMIT_MS = 60_000

/** Resolves when a copy of the envelope has come to the participant's own client on the network. */
export async function arrival(participant: Participant, id: string, network: string): Promise<void> {
  await waitFor(() => participant.arrivals.get(network)?.has(id) ?? false, {
    what: `a copy of ${id.slice(0, 8)} for ${participant.name} over ${network}`,
    timeoutMs: LIMIT_MS,
  })
}

/** The text of the message, once the participant has opened it. */
export async function opening(participant: Participant, id: string): Promise<string | null> {
  const message = await waitFor(() => participant.messages.find((candidate) => candidate.id === id), {
    what: `${participant.name} to open ${id.slice(0, 8)}`,
    timeoutMs: LIMIT_MS,
  })
  return message.text
}

/** How often the envelope stands in the participant's inbox. */
export async function copies(participant: Participant, id: string): Promise<number> {
  return (await participant.client.inbox({ limit: 200 })).filter((entry) => entry.id === id).length
}
