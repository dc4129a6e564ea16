import type { Clock } from '../adapter/index.ts'

/**
 * Runs `work` with a signal that aborts after `milliseconds`, or when `signal` does. Once it has aborted, `work` has
 * `graceMs` more to end by itself; after that the returned promise rejects with the abort reason although `work` still
 * runs, so that a callee that ignores its signal holds nobody. What becomes of it then is told to `late`.
 */
export async function withDeadline<T>(
  clock: Clock,
  limits: { milliseconds: number; graceMs: number; signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
  late?: { resolved(value: T): void; rejected(error: unknown): void },
): Promise<T> {
  const controller = new AbortController()
  const done = new AbortController()
  const { signal } = controller
  // Not `AbortSignal.any`: while anybody listens to what it makes, Node keeps that for as long as its sources live.
  const pass = () => controller.abort(limits.signal?.reason)
  if (limits.signal?.aborted) pass()
  else limits.signal?.addEventListener('abort', pass, { once: true })
  const ignoreEndOfWait = (error: unknown) => {
    if (!done.signal.aborted) throw error
  }
  const timer = clock
    .sleep(limits.milliseconds, done.signal)
    .then(
      () => controller.abort(new DOMException(`no answer in ${limits.milliseconds} ms`, 'TimeoutError')),
      ignoreEndOfWait,
    )
  const abandoned = new Promise<never>((_resolve, reject) => {
    const abandon = () => {
      clock
        .sleep(limits.graceMs, done.signal)
        .then(() => reject(signal.reason), ignoreEndOfWait)
        .catch(reject)
    }
    if (signal.aborted) abandon()
    else signal.addEventListener('abort', abandon, { once: true })
  })
  let settled = false
  const running = (async () => work(signal))()
  running.then(
    (value) => settled && late?.resolved(value),
    (error) => settled && late?.rejected(error),
  )
  try {
    return await Promise.race([running, abandoned, timer.then(() => abandoned)])
  } finally {
    settled = true
    done.abort()
    limits.signal?.removeEventListener('abort', pass)
  }
}
