/** A call that the node answers with a gRPC status other than OK. SANDBOX. */
import type { status } from '@grpc/grpc-js'

export class Refusal extends Error {
  readonly code: status

  constructor(code: status, message: string) {
    super(message)
    this.name = 'Refusal'
    this.code = code
  }
}
