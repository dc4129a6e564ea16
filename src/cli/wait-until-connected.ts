import type { Networks } from '../relay/types.ts'

/** Resolves when every network is connected, or after the time: true if all are. A network that is down holds nothing up. */
export async function waitUntilConnected(
  networks: Networks,
  options: { signal?: AbortSignal; timeoutMs: number },
): Promise<boolean> {
  const all = () => networks.list().every(({ state }) => state === 'connected')
  if (all() || options.signal?.aborted) return all()
  return new Promise((resolve) => {
    const timer = setTimeout(end, options.timeoutMs)
    const unsubscribe = networks.onState(() => {
      if (all()) end()
    })
    function end(): void {
      clearTimeout(timer)
      unsubscribe()
      options.signal?.removeEventListener('abort', end)
      resolve(all())
    }
    options.signal?.addEventListener('abort', end, { once: true })
  })
}
