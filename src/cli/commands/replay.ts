import { ADMIN_OPTION, adminApi } from '../admin.ts'
import { type Command, EXIT, GATEWAY_OPTION, UsageError } from '../command.ts'

export const command: Command = {
  summary: 'Send a dead delivery again (operators).',
  usage: '<delivery number>',
  description:
    'The number stands in the first column of `causeway deliveries`. The envelope keeps its id, so nobody sees it twice.',
  options: { ...ADMIN_OPTION, ...GATEWAY_OPTION },
  positionals: { minimum: 1, maximum: 1 },
  async run(input) {
    const id = Number(input.positionals[0])
    if (!Number.isInteger(id) || id < 1) throw new UsageError('the delivery number is a whole number from 1')
    const delivery = await adminApi(input).post<{ state: string; network: string }>(
      `/v1/admin/deliveries/${id}/replay`,
      {},
    )
    input.print(
      input.json
        ? JSON.stringify(delivery)
        : `delivery ${id} to ${delivery.network} is ${delivery.state} again`,
    )
    return EXIT.done
  },
}
