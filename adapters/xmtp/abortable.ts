import { XmtpError } from './errors.ts'

/** Stops waiting when the signal aborts; the SDK's calls cannot be ended, and end by themselves. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(abortedError(signal))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp))
  })
}

export function abortedError(signal: AbortSignal): XmtpError {
  return new XmtpError('aborted', 'Given up before XMTP answered', { cause: signal.reason })
}
