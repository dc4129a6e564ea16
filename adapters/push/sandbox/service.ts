/** What the routes have in common. SANDBOX. */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { z } from 'zod'
import { canonicalDid } from '../did.ts'
import type { Events } from './events.ts'
import { isPgpProof, isProfileProof, type ProfileClaim } from './proofs.ts'
import type { Json, State } from './state.ts'

export interface Service {
  state: State
  events: Events
  /** Unix milliseconds. */
  now(): number
  /** Whether signatures are checked. */
  strict: boolean
  /** Whether the answer to this message is lost. */
  takeLostAnswer(): boolean
}

/** Refused, with the status and the body in which the SDK looks for a message. */
export class Refusal extends Error {
  readonly status: ContentfulStatusCode

  constructor(status: ContentfulStatusCode, message: string) {
    super(message)
    this.status = status
  }

  body(): Json {
    return { error: this.status === 404 ? 'NotFound' : 'BadRequest', message: this.message, validation: '' }
  }
}

/** The request's JSON in the form of a schema; anything else is refused with 400. */
export async function bodyOf<Schema extends z.ZodType>(
  context: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  const json: unknown = await context.req.json().catch(() => null)
  const parsed = schema.safeParse(json)
  if (!parsed.success) throw new Refusal(400, `unexpected body: ${z.prettifyError(parsed.error)}`)
  return parsed.data
}

/** A DID of the path, in canonical form. */
export function didParameter(context: Context, name: string): string {
  const did = canonicalDid(decodeURIComponent(context.req.param(name) ?? ''))
  if (did === null) throw new Refusal(400, `${name} is no DID`)
  return did
}

export function requireDid(text: string): string {
  const did = canonicalDid(text)
  if (did === null) throw new Refusal(400, 'not a DID of an Ethereum account; the sandbox knows no other')
  return did
}

/** One page of a list: `?page=1&limit=10`, at most 30. */
export function page<Item>(context: Context, items: Item[]): Item[] {
  const number = Math.max(1, Number(context.req.query('page') ?? 1) || 1)
  const limit = Math.min(Math.max(1, Number(context.req.query('limit') ?? 10) || 10), 30)
  return items.slice((number - 1) * limit, number * limit)
}

/** Refuses with 403 unless the DID's own PGP key made the proof. */
export async function requirePgpProof(
  service: Service,
  proof: { did: string; types: readonly string[]; value: unknown; body: unknown },
): Promise<void> {
  if (!service.strict) return
  const publicKey = service.state.users.get(proof.did)?.publicKey ?? ''
  if (await isPgpProof(proof.value, proof.types, proof.body, publicKey)) return
  throw new Refusal(403, 'invalid verificationProof')
}

export function requireProfileProof(service: Service, claim: ProfileClaim, proof: string): void {
  if (service.strict && !isProfileProof(claim, proof)) throw new Refusal(403, 'invalid verificationProof')
}
