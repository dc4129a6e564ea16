import { renderOpenApi } from '../../http/index.ts'
import { type Command, EXIT } from '../command.ts'

export const command: Command = {
  summary: 'Print the OpenAPI 3.1 document of the HTTP API.',
  usage: '',
  description: 'The same document that a running gateway serves at /openapi.json.',
  options: {},
  positionals: { minimum: 0, maximum: 0 },
  async run(input) {
    input.print(renderOpenApi())
    return EXIT.done
  },
}
