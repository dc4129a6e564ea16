/**
 * The one registry of problems (RFC 9457). Every code that any part of the gateway can refuse with has its status, title
 * and fix here; the compiler refuses a missing one. `docs/reference/errors.md` and the page `/docs/errors` are made of it.
 */
import type { EnrolmentErrorCode } from '../enrolment/errors.ts'
import type { EnvelopeErrorCode } from '../envelope/errors.ts'
import type { IdentityErrorCode } from '../identity/errors.ts'
import type { RelayErrorCode } from '../relay/errors.ts'
import type { StoreErrorCode } from '../store/port.ts'
import type { HttpErrorCode, WebhookErrorCode } from './errors.ts'
import { enrolmentProblems } from './problems-enrolment.ts'
import { envelopeProblems } from './problems-envelope.ts'
import { httpProblems, webhookProblems } from './problems-http.ts'
import { identityProblems } from './problems-identity.ts'
import { relayProblems, storeProblems } from './problems-relay.ts'

export type ProblemCode =
  | EnvelopeErrorCode
  | EnrolmentErrorCode
  | IdentityErrorCode
  | RelayErrorCode
  | StoreErrorCode
  | HttpErrorCode
  | WebhookErrorCode

export interface ProblemEntry {
  status: ProblemStatus
  /** What happened, the same for every occurrence. */
  title: string
  /** What the caller (or the operator) can do about it. */
  fix: string
}

export type ProblemStatus =
  | 400
  | 401
  | 403
  | 404
  | 405
  | 408
  | 409
  | 410
  | 413
  | 415
  | 422
  | 426
  | 429
  | 500
  | 502
  | 503
  | 507
  | 508

export const problems: Readonly<Record<ProblemCode, ProblemEntry>> = {
  ...envelopeProblems,
  ...identityProblems,
  ...enrolmentProblems,
  ...relayProblems,
  ...storeProblems,
  ...httpProblems,
  ...webhookProblems,
}

export function isProblemCode(code: string): code is ProblemCode {
  return Object.hasOwn(problems, code)
}

/** Codes with their entries, in order of name. */
export function listProblems(): { code: ProblemCode; entry: ProblemEntry }[] {
  return (Object.keys(problems) as ProblemCode[]).sort().map((code) => ({ code, entry: problems[code] }))
}

/** `docs/reference/errors.md`. */
export function renderErrorsReference(): string {
  const sections = listProblems().flatMap(({ code, entry }) => [
    `## ${code}`,
    '',
    `**${entry.status}** ${entry.title}.`,
    '',
    entry.fix,
    '',
  ])
  return [
    '# Errors',
    '',
    'Every answer that is not a success is a problem (RFC 9457, `application/problem+json`) with these members:',
    '',
    '| member | meaning |',
    '|---|---|',
    '| `type` | `/docs/errors#<code>` of this gateway |',
    '| `title`, `status` | the same for every occurrence of a code |',
    '| `detail` | what was wrong this time; may be missing |',
    '| `instance` | `urn:causeway:request:<requestId>` |',
    '| `code` | stable name, below; programs decide by it |',
    '| `requestId` | also in the header `X-Request-Id`, and in the logs of the gateway |',
    '| `fix` | what to do about it |',
    '| `errors` | with `request-invalid`: `[{path, message}]` |',
    '',
    ...sections,
  ].join('\n')
}
