import type { HttpErrorCode, WebhookErrorCode } from './errors.ts'
import type { ProblemEntry } from './problems.ts'

export const httpProblems: Record<HttpErrorCode, ProblemEntry> = {
  'request-invalid': {
    status: 400,
    title: 'The request does not have the documented shape',
    fix: 'Correct what `errors` names; /openapi.json has the shapes.',
  },
  'body-not-json': { status: 400, title: 'The body is not JSON', fix: 'Send well-formed JSON in UTF-8.' },
  'body-too-large': {
    status: 413,
    title: 'The body is over the limit of this route',
    fix: 'Send less at once; the detail names the limit.',
  },
  'body-timeout': {
    status: 408,
    title: 'The body did not arrive in time',
    fix: 'Send it again over a better connection.',
  },
  'body-incomplete': {
    status: 400,
    title: 'The connection ended within the body',
    fix: 'Send the request again.',
  },
  'media-type-unsupported': {
    status: 415,
    title: 'The route does not take this Content-Type',
    fix: 'Use the Content-Type that the route documents, as a rule application/json.',
  },
  unauthenticated: {
    status: 401,
    title: 'The request needs a session',
    fix: 'Sign in (POST /v1/auth/challenge, POST /v1/auth/verify) and send `Authorization: Bearer <token>`.',
  },
  'session-invalid': {
    status: 401,
    title: 'The session is unknown, has expired or was ended',
    fix: 'Sign in again.',
  },
  'wallet-mismatch': {
    status: 403,
    title: 'The session belongs to another wallet',
    fix: 'Change only endpoints and routes of the wallet that signed in.',
  },
  'not-found': { status: 404, title: 'There is no such route', fix: 'See /openapi.json for the routes.' },
  'method-not-allowed': {
    status: 405,
    title: 'The route does not know this method',
    fix: 'Use one of the methods in the header Allow.',
  },
  'rate-limited': {
    status: 429,
    title: 'Too many requests',
    fix: 'Wait as long as the header Retry-After says; send envelopes in batches or over the socket.',
  },
  'cursor-invalid': {
    status: 400,
    title: 'The cursor is malformed',
    fix: 'Pass cursors back exactly as this gateway gave them.',
  },
  'cursor-expired': {
    status: 410,
    title: 'The cursor belongs to an inbox that is no longer here',
    fix: 'Read the inbox from the beginning, without a cursor, and drop what you have by id.',
  },
  'envelope-not-found': {
    status: 404,
    title: 'There is no such envelope for this wallet',
    fix: 'Check the id. Envelopes are shown to their sender and recipients only, and for the retention time.',
  },
  'admission-refused': {
    status: 403,
    title: 'The gateway’s rules refuse the envelope',
    fix: 'The detail says which rule; ask the operator of the gateway.',
  },
  'network-failed': {
    status: 502,
    title: 'The network refused the call',
    fix: 'See the state of the network at GET /v1/networks.',
  },
  'network-unavailable': {
    status: 503,
    title: 'The network cannot be reached now',
    fix: 'Try again later; see the state of the network at GET /v1/networks.',
  },
  'network-rate-limited': {
    status: 503,
    title: 'The network takes no more calls for now',
    fix: 'Wait as long as the header Retry-After says.',
  },
  'credentials-unsupported': {
    status: 404,
    title: 'The network needs no credentials from the gateway',
    fix: 'Join it with its own SDK; GET /v1/networks says how it is reached.',
  },
  'endpoint-missing': {
    status: 409,
    title: 'The wallet has no enabled endpoint on the network',
    fix: 'Enable one with PUT /v1/wallets/{wallet}/endpoints/{network}.',
  },
  'admin-token-invalid': {
    status: 401,
    title: 'The admin token is missing or wrong',
    fix: 'Send `Authorization: Bearer <admin token>`.',
  },
  'streams-exhausted': {
    status: 429,
    title: 'Too many live streams are open',
    fix: 'Close streams that are not needed, or carry several wallets over one socket.',
  },
  'upgrade-required': {
    status: 426,
    title: 'The route speaks WebSocket',
    fix: 'Connect with a WebSocket client.',
  },
  'socket-frame-invalid': {
    status: 400,
    title: 'A message on the socket does not follow its protocol',
    fix: 'Send `[kind, requestId, payload]` in CBOR, in binary messages; the protocol stands with GET /v1/socket.',
  },
  'not-ready': {
    status: 503,
    title: 'The gateway is not ready',
    fix: 'The member `parts` says what is missing.',
  },
  'shutting-down': {
    status: 503,
    title: 'The gateway is shutting down',
    fix: 'Connect again in a moment.',
  },
  'internal-error': {
    status: 500,
    title: 'The gateway failed',
    fix: 'Try again later; the operator finds the cause in the log under the request id.',
  },
}

export const webhookProblems: Record<WebhookErrorCode, ProblemEntry> = {
  'webhook-secret-invalid': {
    status: 404,
    title: 'The path of the webhook is not the configured one',
    fix: 'Copy the whole address of the webhook from the gateway’s start-up output into the network’s console.',
  },
  'webhook-signature-invalid': {
    status: 401,
    title: 'The signature of the webhook is invalid',
    fix: 'Give network and gateway the same webhook token.',
  },
  'webhook-stale': {
    status: 401,
    title: 'The webhook is older than the clock window allows',
    fix: 'Set the clock of the gateway.',
  },
  'webhook-replayed': { status: 409, title: 'The webhook was received before', fix: 'Nothing to do.' },
  'webhook-malformed': {
    status: 400,
    title: 'The body of the webhook is malformed',
    fix: 'Send the documented body of the callback.',
  },
  'webhook-application-mismatch': {
    status: 403,
    title: 'The webhook belongs to another application',
    fix: 'Configure the application id that the network’s console shows.',
  },
  'webhook-refused': {
    status: 400,
    title: 'The adapter refused the webhook',
    fix: 'See the log of the gateway under the request id.',
  },
}
