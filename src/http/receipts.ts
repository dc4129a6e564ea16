/** What a client says of envelopes that reached it, over HTTP (JSON) or the socket (CBOR). */
import { z } from '@hono/zod-openapi'
import type { ClientReceipt } from '../relay/types.ts'
import { HttpError } from './errors.ts'
import { idSchema } from './schemas.ts'

/** Receipts that one request may hold. */
export const MOST_RECEIPTS = 256

const fields = {
  network: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,31}$/)
    .openapi({
      description:
        '`http` for the gateway’s API (stream, socket, inbox), else the network over which it came.',
      example: 'waku',
    }),
  kind: z.enum(['delivered', 'read']),
  at: z
    .number()
    .int()
    .min(0)
    .openapi({ description: 'Client’s clock, Unix milliseconds.', example: 1_790_000_000_000 }),
}

export const receiptsSchema = z
  .array(z.strictObject({ id: idSchema, ...fields }))
  .min(1)
  .max(MOST_RECEIPTS)

const binarySchema = z
  .array(z.strictObject({ id: z.instanceof(Uint8Array).refine((id) => id.length === 32), ...fields }))
  .min(1)
  .max(MOST_RECEIPTS)

/** Checks receipts from the socket. Errors: `socket-frame-invalid`. */
export function parseReceipts(receipts: unknown[]): ClientReceipt[] {
  const parsed = binarySchema.safeParse(receipts)
  if (!parsed.success)
    throw new HttpError('socket-frame-invalid', 'The receipts do not have the documented shape')
  return parsed.data
}
