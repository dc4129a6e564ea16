/**
 * What each answer of the service means for the relay.
 * Codes: https://www.tencentcloud.com/document/product/1047/34348 (common backend, account and message error codes).
 */
import { AdapterError, type AdapterErrorClass } from '../../src/adapter/index.ts'

interface Rule {
  class: AdapterErrorClass
  /** What happened, for operators. */
  meaning: string
  /** What an operator can do, where an operator must act. */
  action?: string
}

const checkKey = 'Check sdkAppId and secretKey against the console (Application > Basic information).'
const buyPlan = 'Upgrade the app in the Tencent Chat console, or wait for the next period.'

/**
 * Errors after which the service may or may not have taken the message are `uncertain`: its own timeouts and internal
 * errors. Everything listed as `retryable` or `rateLimited` was refused before the message was taken.
 */
const rules: Readonly<Record<number, Rule>> = {
  10002: { class: 'uncertain', meaning: 'internal error of the group service' },
  10004: { class: 'permanent', meaning: 'invalid parameter' },
  10006: { class: 'rateLimited', meaning: 'too many operations' },
  10007: { class: 'permanent', meaning: 'the group does not allow this operation' },
  10010: { class: 'permanent', meaning: 'the group does not exist' },
  10014: { class: 'permanent', meaning: 'the group is full' },
  10016: { class: 'permanent', meaning: 'refused by a before-webhook of the app' },
  10017: { class: 'permanent', meaning: 'the sender is muted' },
  10023: { class: 'rateLimited', meaning: 'more than 40 messages a second in one group' },
  20003: { class: 'permanent', meaning: 'the sender or the recipient has no account' },
  20004: { class: 'uncertain', meaning: 'network trouble inside the service' },
  20005: { class: 'uncertain', meaning: 'internal error of the message service' },
  20006: { class: 'permanent', meaning: 'refused by a before-webhook of the app' },
  20007: { class: 'permanent', meaning: 'the recipient has blocked the sender' },
  20009: { class: 'permanent', meaning: 'the app lets only friends exchange messages' },
  20010: { class: 'permanent', meaning: 'the app lets only friends exchange messages' },
  20011: { class: 'permanent', meaning: 'the app lets only friends exchange messages' },
  20012: { class: 'permanent', meaning: 'the sender is muted' },
  22007: { class: 'rateLimited', meaning: 'daily users of the trial edition used up', action: buyPlan },
  40601: { class: 'permanent', meaning: 'a profile value is over 500 bytes' },
  60002: { class: 'permanent', meaning: 'the request could not be read' },
  60003: { class: 'permanent', meaning: 'the request is not JSON' },
  60004: { class: 'retryable', meaning: 'the account check failed inside the service' },
  60005: { class: 'retryable', meaning: 'the account check failed inside the service' },
  60006: { class: 'auth', meaning: 'the service does not know this SDKAppID', action: checkKey },
  60007: { class: 'rateLimited', meaning: 'REST calls over the limit' },
  60008: { class: 'uncertain', meaning: 'the service timed out' },
  60009: { class: 'unsupported', meaning: 'the service does not know this command' },
  60010: {
    class: 'auth',
    meaning: 'adminUserId is no administrator',
    action: 'Set adminUserId to an administrator of the app.',
  },
  60011: { class: 'rateLimited', meaning: 'REST calls over the limit' },
  60012: { class: 'auth', meaning: 'the SDKAppID is missing', action: checkKey },
  60014: { class: 'retryable', meaning: 'the account check timed out' },
  60016: {
    class: 'auth',
    meaning: 'the app is disabled',
    action: 'Enable the app in the Tencent Chat console.',
  },
  60017: {
    class: 'auth',
    meaning: 'the app may not use this command',
    action: 'Ask Tencent Chat support to enable it.',
  },
  60018: { class: 'rateLimited', meaning: 'requests too frequent' },
  60019: { class: 'rateLimited', meaning: 'requests too frequent' },
  60020: {
    class: 'auth',
    meaning: 'the plan of the app has ended or is unpaid',
    action: 'Renew the plan in the Tencent Chat console.',
  },
  60021: {
    class: 'auth',
    meaning: 'the service does not accept this source address',
    action: 'Allow the address of the gateway in the console.',
  },
  60025: { class: 'auth', meaning: 'SDKAppID, administrator or signature are wrong', action: checkKey },
  60026: {
    class: 'auth',
    meaning: 'the app belongs to another region',
    action: 'Set region to the data center of the app.',
  },
  60028: { class: 'rateLimited', meaning: 'daily REST calls of the trial edition used up', action: buyPlan },
  70001: { class: 'auth', meaning: 'the UserSig has expired', action: 'Check the clock of the gateway.' },
  70003: { class: 'auth', meaning: 'the UserSig cannot be read', action: checkKey },
  70009: { class: 'auth', meaning: 'the UserSig was made with another key', action: checkKey },
  70013: { class: 'auth', meaning: 'the UserSig belongs to another user', action: checkKey },
  70014: { class: 'auth', meaning: 'the UserSig belongs to another app', action: checkKey },
  70016: { class: 'auth', meaning: 'the app has no such key', action: checkKey },
  70020: {
    class: 'auth',
    meaning: 'the app does not exist in this region',
    action: 'Check sdkAppId and region.',
  },
  70050: { class: 'auth', meaning: 'wrong UserSig too often, refused for a minute', action: checkKey },
  70051: { class: 'permanent', meaning: 'the account is on the block list of the service' },
  70107: { class: 'permanent', meaning: 'no such account' },
  70169: { class: 'uncertain', meaning: 'the service timed out' },
  70398: {
    class: 'permanent',
    meaning: 'the app has as many accounts as its edition allows',
    action: 'Upgrade the app: the free edition allows 100 accounts.',
  },
  70399: { class: 'permanent', meaning: 'a deleted account cannot come back within three months' },
  70402: { class: 'permanent', meaning: 'invalid parameter or userID' },
  70403: { class: 'permanent', meaning: 'invalid parameter or userID' },
  70500: { class: 'uncertain', meaning: 'internal error of the account service' },
  72000: { class: 'rateLimited', meaning: 'daily users of the trial edition used up', action: buyPlan },
  72002: { class: 'rateLimited', meaning: 'monthly users of the trial edition used up', action: buyPlan },
  80001: { class: 'permanent', meaning: 'the content filter refused the text' },
  80002: { class: 'tooLarge', meaning: 'the message is over 12 KB' },
  80003: { class: 'retryable', meaning: 'a before-webhook of the app did not answer' },
  80005: {
    class: 'auth',
    meaning: 'the service is deactivated',
    action: 'Renew the plan in the Tencent Chat console.',
  },
  90009: {
    class: 'auth',
    meaning: 'adminUserId is no administrator',
    action: 'Set adminUserId to an administrator of the app.',
  },
  90012: { class: 'permanent', meaning: 'the recipient has no account' },
  90048: { class: 'permanent', meaning: 'the account does not exist' },
  90992: { class: 'uncertain', meaning: 'internal error, or a webhook of the app did not answer' },
  90994: { class: 'uncertain', meaning: 'internal error of the message service' },
  90995: { class: 'uncertain', meaning: 'internal error of the message service' },
  91000: { class: 'uncertain', meaning: 'internal error of the message service' },
  93000: { class: 'tooLarge', meaning: 'the message is over 12 KB' },
}

/** Waits, in milliseconds: calls are counted by the second; quotas of trial editions by the day. */
const RATE_PAUSE_MS = 1_000
const QUOTA_PAUSE_MS = 15 * 60_000
const quotaCodes: ReadonlySet<number> = new Set([22007, 60028, 72000, 72002])

/** Codes that say that an account is missing, so that importing it may help. */
export const missingAccountCodes: ReadonlySet<number | string> = new Set([20003, 70107, 90012, 90048])

/** Whether repeating the call does the same as calling once; decides what a lost answer means. */
export type CallEffect = 'idempotent' | 'sends'

/**
 * The error for an answer whose ErrorCode is not 0. The service's ErrorInfo is left out, because it may quote addresses.
 * A code that is not in the table is `permanent`: the service answered and refused.
 */
export function answerError(command: string, code: number, effect: CallEffect): AdapterError {
  const rule = ruleOf(code)
  return new AdapterError(
    forEffect(rule.class, effect),
    `TRTC refused ${command}: ${rule.meaning} (${code})${rule.action ? `. ${rule.action}` : ''}`,
    {
      remoteCode: code,
      ...(rule.class === 'rateLimited'
        ? { retryAfterMs: quotaCodes.has(code) ? QUOTA_PAUSE_MS : RATE_PAUSE_MS }
        : {}),
    },
  )
}

/** What an operator should do about an error code, or null where nothing needs doing. */
export function operatorAction(code: number | string | undefined): string | null {
  return (typeof code === 'number' ? rules[code]?.action : null) ?? null
}

function ruleOf(code: number): Rule {
  const rule = rules[code]
  if (rule) return rule
  if ((code >= 120_001 && code <= 130_000) || (code >= 10_100 && code <= 10_200)) {
    return { class: 'permanent', meaning: "refused by a before-webhook of the app with the app's own code" }
  }
  return { class: 'permanent', meaning: 'an error that is not in the table' }
}

/**
 * The error for an HTTP status that is not 200. The service answers 200 to everything it understood, so any other status
 * comes from something in between, which says nothing of the message: it waits until the way is mended.
 */
export function statusError(command: string, status: number, effect: CallEffect): AdapterError {
  const text = `TRTC answered ${command} with HTTP ${status}`
  if (status === 413) return new AdapterError('tooLarge', text, { remoteCode: status })
  if (status === 429)
    return new AdapterError('rateLimited', text, { remoteCode: status, retryAfterMs: RATE_PAUSE_MS })
  if (status === 503) return new AdapterError('retryable', text, { remoteCode: status })
  if (status >= 500) return new AdapterError(forEffect('uncertain', effect), text, { remoteCode: status })
  return new AdapterError('retryable', `${text}. Check restUrl and region.`, { remoteCode: status })
}

/** Failures that happen before a byte of the request has left. */
const notSent: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** The error for a call that got no answer. `left` is false when the request was never handed to the network. */
export function transportError(
  command: string,
  cause: unknown,
  effect: CallEffect,
  left: boolean,
): AdapterError {
  const code = transportCode(cause)
  if (!left || wasNotSent(code)) {
    return new AdapterError('retryable', `TRTC could not be reached for ${command} (${code})`, {
      remoteCode: code,
    })
  }
  return new AdapterError(forEffect('uncertain', effect), `TRTC gave no answer to ${command} (${code})`, {
    remoteCode: code,
  })
}

/** True when the error says that the service was never reached, so that another host may be tried at once. */
export function isUnreachable(error: AdapterError): boolean {
  return wasNotSent(String(error.remoteCode))
}

/** A connection that broke with a request on it: typically one kept open that the service closed at that moment. */
const connectionBroken: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** True when the connection broke before the answer, so that trying once more at once may help. */
export function isConnectionBroken(error: AdapterError): boolean {
  return connectionBroken.has(String(error.remoteCode))
}

function wasNotSent(code: string): boolean {
  return notSent.has(code) || code.startsWith('CERT_') || code.startsWith('ERR_TLS_')
}

/** The system's or the HTTP client's code. Messages are left out: some of them quote the URL, which holds the UserSig. */
function transportCode(cause: unknown): string {
  for (let error = cause, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    if ('code' in error && typeof error.code === 'string') return error.code
    if (error.name === 'TimeoutError' || error.name === 'AbortError') return error.name
  }
  return 'no-answer'
}

/** A repeatable call never leaves anything uncertain: it is simply made again. */
function forEffect(errorClass: AdapterErrorClass, effect: CallEffect): AdapterErrorClass {
  return errorClass === 'uncertain' && effect === 'idempotent' ? 'retryable' : errorClass
}
