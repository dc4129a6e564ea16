import type { RelayErrorCode } from '../relay/errors.ts'
import type { StoreErrorCode } from '../store/port.ts'
import type { ProblemEntry } from './problems.ts'

export const relayProblems: Record<RelayErrorCode, ProblemEntry> = {
  'envelope-expired': {
    status: 422,
    title: 'The envelope’s time to live has passed',
    fix: 'Seal it anew, with a longer time to live.',
  },
  'envelope-from-future': {
    status: 422,
    title: 'The envelope was created in the future',
    fix: 'Set the clock of the device; up to 120 seconds ahead are tolerated.',
  },
  'envelope-too-old': {
    status: 422,
    title: 'The envelope was created more than a year ago',
    fix: 'Seal it anew. The gateway no longer knows whether it has taken an envelope of that age before.',
  },
  'envelope-too-many-recipients': {
    status: 422,
    title: 'The envelope has more recipients than this gateway takes',
    fix: 'Send it in several envelopes.',
  },
  'envelope-conversation-mismatch': {
    status: 422,
    title: 'The envelope names a conversation that is not that of its sender and recipient',
    fix: 'To one recipient, use the conversation that follows from the two wallets: H(causeway/dm/1, the walletKeys sorted).',
  },
  'envelope-wraps-missing': {
    status: 422,
    title: 'The envelope lacks the keys of a recipient',
    fix: 'Submit the whole envelope, with the wraps of every recipient.',
  },
  'envelope-mode-unsupported': {
    status: 422,
    title: 'This gateway takes no envelopes of this mode here',
    fix: 'Send in mode sealed.',
  },
  'conversation-unknown': {
    status: 404,
    title: 'The wallet has no such conversation',
    fix: 'Check the id; GET /v1/conversations lists those that there are.',
  },
  'conversation-choices-full': {
    status: 409,
    title: 'The wallet has denied and muted as many conversations as there may be',
    fix: 'Take earlier choices back first.',
  },
  'hop-not-enrolled': {
    status: 422,
    title: 'The wallet has not enrolled this gateway on the network',
    fix: 'Enrol the wallet first (POST /v1/enrolments/{network}), or send in mode sealed.',
  },
  'hop-key-missing': {
    status: 422,
    title: 'The hop request is not sealed to this gateway',
    fix: 'Seal it to the gateway’s encryptionKey of GET /v1/gateway as well, in suite 1.',
  },
  'hop-not-trusted': {
    status: 403,
    title: 'The recipient does not trust the gateway that attests the envelope',
    fix: 'Send the consent of the recipient’s wallet along; without it no gateway is believed.',
  },
  'hop-without-keys': {
    status: 503,
    title: 'The wallet has no device with current keys',
    fix: 'Sign in with a device of the wallet; what waits is then read from the network.',
  },
  'device-unknown': {
    status: 403,
    title: 'The device is not certified by the wallet',
    fix: 'Sign in with this device first, so that the wallet certifies it, or send its certificate along.',
  },
  'device-expired': {
    status: 403,
    title: 'The certificate of the device has expired',
    fix: 'Sign in again with the device; the wallet then certifies it for another 30 days.',
  },
  'device-revoked': {
    status: 403,
    title: 'The wallet has revoked the device',
    fix: 'Make a new device key and sign in with it.',
  },
  'device-unverified': {
    status: 503,
    title: 'The chain of the sender’s smart account gave no answer, or no node of it is configured',
    fix: 'Send the same envelope again in a moment: nothing is known against it. The operator needs a node of the chain (identity.chains).',
  },
  'device-certificate-invalid': {
    status: 403,
    title: 'The certificate of the device is invalid',
    fix: 'Sign in again with the device and send the certificate that comes back.',
  },
  'sender-mismatch': {
    status: 403,
    title: 'The envelope’s sender is not the wallet of the session',
    fix: 'Submit with the session of the wallet that stands in the envelope’s header.',
  },
  'frame-looped': {
    status: 508,
    title: 'The frame has passed this gateway before',
    fix: 'Nothing to do: the envelope is here already.',
  },
  'recipient-unreachable': {
    status: 422,
    title: 'No network reaches a recipient',
    fix: 'Ask the recipient to sign in at this gateway, or have its operator join a network that reaches the wallet.',
  },
  'delivery-unknown': {
    status: 404,
    title: 'There is no such delivery',
    fix: 'Take the id from GET /v1/admin/deliveries; deliveries go with their envelope after the retention time.',
  },
  'delivery-not-replayable': {
    status: 409,
    title: 'The delivery cannot be sent again',
    fix: 'Only dead and superseded deliveries of envelopes that have not expired can be replayed.',
  },
  'network-unknown': {
    status: 404,
    title: 'This gateway has not joined the network',
    fix: 'Choose one of GET /v1/networks.',
  },
  'mirror-unsupported': {
    status: 422,
    title: 'This gateway cannot mirror that network',
    fix: 'Choose a network that GET /v1/networks shows with mirroring.',
  },
  'mirror-registration-invalid': {
    status: 422,
    title: 'The registration is not what the network’s mirroring needs',
    fix: 'Correct what detail names. The guide on opaque mirroring has the shape for each network.',
  },
  'mirror-too-large': {
    status: 422,
    title: 'The registration follows more topics than this gateway allows a wallet',
    fix: 'Leave out conversations that need no speed, or ask the operator to raise limits.mirrorTopics.',
  },
  'mirror-unknown': {
    status: 404,
    title: 'The wallet has no mirror of this network',
    fix: 'Nothing to do: nothing is mirrored.',
  },
  'relay-stopping': {
    status: 503,
    title: 'The gateway is shutting down',
    fix: 'Make the same request again in a moment.',
  },
}

const storeFix = 'Try again later; the operator finds the cause in the log under the request id.'

export const storeProblems: Record<StoreErrorCode, ProblemEntry> = {
  'store-closed': {
    status: 503,
    title: 'The store is closed',
    fix: 'The gateway is stopping; try again in a moment.',
  },
  'store-corrupt': { status: 503, title: 'The store is damaged', fix: storeFix },
  'store-newer': { status: 503, title: 'The store was written by a newer version', fix: storeFix },
  'store-in-use': { status: 503, title: 'Another gateway has the store open', fix: storeFix },
  'store-full': { status: 507, title: 'The store is full', fix: storeFix },
  'store-read-only': { status: 503, title: 'The store cannot be written', fix: storeFix },
  'store-failed': { status: 503, title: 'The store failed', fix: storeFix },
}
