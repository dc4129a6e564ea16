/**
 * Where a client keeps its device key, prekeys, token and what it has seen. Everything is text. The values hold private
 * keys: give each wallet and application its own storage, and protect it as the platform allows.
 */
export interface ClientStorage {
  get(key: string): Promise<string | null>
  set(key: string, value: string): Promise<void>
  delete(key: string): Promise<void>
  /**
   * Runs `work` while no other process or tab runs work of this name on the same storage. Without it, the storage must not
   * be used by two at a time.
   */
  exclusive?<Result>(name: string, work: () => Promise<Result>): Promise<Result>
}

/** Forgets everything with the process: each start is a new device. For tests and scripts. */
export function memoryStorage(): ClientStorage {
  const values = new Map<string, string>()
  return {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => void values.set(key, value),
    delete: async (key) => void values.delete(key),
  }
}

/** As in browsers (Web Locks) and in Node from 24.5 on. */
interface Locks {
  request<Result>(name: string, work: () => Promise<Result>): Promise<Result>
}

/** Browser storage, e.g. `window.localStorage`, under a prefix. Tabs that share it take turns by the Web Locks of the browser. */
export function webStorage(
  storage: {
    getItem(key: string): string | null
    setItem(key: string, value: string): void
    removeItem(key: string): void
  },
  prefix = 'causeway.',
): ClientStorage {
  const locks = (globalThis.navigator as { locks?: Locks } | undefined)?.locks
  return {
    ...(locks ? { exclusive: (name, work) => locks.request(prefix + name, work) } : {}),
    get: async (key) => storage.getItem(prefix + key),
    set: async (key, value) => storage.setItem(prefix + key, value),
    delete: async (key) => storage.removeItem(prefix + key),
  }
}
