/** Calls of the operator's routes. */
import { type Api, createApi } from '../client/index.ts'
import { type CommandInput, gatewayUrl, type OptionDefinition, text, UsageError } from './command.ts'

export const ADMIN_OPTION: Record<string, OptionDefinition> = {
  'admin-token': { type: 'string', description: 'Token of the operator. Default: $CAUSEWAY_ADMIN_TOKEN.' },
}

export function adminApi(input: CommandInput): Api {
  const token = text(input, 'admin-token') ?? process.env.CAUSEWAY_ADMIN_TOKEN
  if (!token)
    throw new UsageError('the operator’s token is missing: set CAUSEWAY_ADMIN_TOKEN or give --admin-token')
  const api = createApi(gatewayUrl(input))
  api.token = token
  return api
}
