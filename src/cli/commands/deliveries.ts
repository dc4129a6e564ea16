import { ADMIN_OPTION, adminApi } from '../admin.ts'
import { type Command, count, EXIT, GATEWAY_OPTION, text } from '../command.ts'
import { jsonLine, plain } from '../plain.ts'

interface ListedDelivery {
  id: number
  network: string
  state: string
  attempt: number
  reason: string | null
  envelopeId: string
  updatedAt: number
}

export const command: Command = {
  summary: 'List deliveries, newest first (operators).',
  usage: '[--state dead] [--network waku] [--limit <n>]',
  description:
    'States: standby, pending, dispatching, uncertain, acknowledged, dead, superseded.\n\n  causeway deliveries --state dead',
  options: {
    state: { type: 'string', description: 'Only deliveries in this state.' },
    network: { type: 'string', description: 'Only deliveries to this network.' },
    limit: { type: 'string', description: 'At most this many. Default 50.' },
    ...ADMIN_OPTION,
    ...GATEWAY_OPTION,
  },
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    const query = new URLSearchParams({
      limit: String(count(input, 'limit', { minimum: 1, maximum: 500 }) ?? 50),
    })
    for (const name of ['state', 'network']) {
      const value = text(input, name)
      if (value !== undefined) query.set(name, value)
    }
    const { deliveries } = await adminApi(input).get<{ deliveries: ListedDelivery[] }>(
      `/v1/admin/deliveries?${query}`,
    )
    for (const delivery of deliveries) {
      if (input.json) input.print(jsonLine(delivery))
      else {
        const time = new Date(delivery.updatedAt).toISOString().slice(0, 19)
        input.print(
          `${String(delivery.id).padStart(8)} ${time} ${delivery.network.padEnd(10)} ${delivery.state.padEnd(13)} attempt ${delivery.attempt} ${delivery.envelopeId.slice(0, 16)} ${plain(delivery.reason ?? '')}`,
        )
      }
    }
    if (deliveries.length === 0) input.note('no such deliveries')
    return EXIT.done
  },
}
