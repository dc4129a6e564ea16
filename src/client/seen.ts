/** Ids that this device has shown already: the last of the four places where a message is kept from appearing twice. */
import type { ClientStorage } from './storage.ts'

const KEY = 'seen'
/** Half of an id, 128 bits: nobody can make a message whose half is another's, and storage in browsers is small. */
const KEPT_CHARACTERS = 32
/** Changes are written together: a message a second or a thousand, the list is written about twice a second. */
const GATHER_MS = 500

export interface SeenIds {
  /** True when the id is new; it counts as seen from then on. */
  add(id: string): boolean
  /** Takes an id back, when the message could not be opened after all. */
  remove(id: string): void
  /** Writes what changed, soon. A process that dies before may show the last messages again. */
  saveSoon(): void
  /** Writes what changed, now. */
  save(): Promise<void>
}

/** Keeps the latest `capacity` ids, oldest first, over restarts: 150 KB at most. `key`: their place in the storage. */
export async function loadSeenIds(storage: ClientStorage, capacity = 4_096, key = KEY): Promise<SeenIds> {
  const text = await storage.get(key)
  const kept = (id: string) => id.slice(0, KEPT_CHARACTERS)
  const ids = new Set(text ? (JSON.parse(text) as string[]).map(kept) : [])
  let timer: ReturnType<typeof setTimeout> | undefined
  let saving: Promise<void> | null = null
  let dirty = false

  async function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    while (dirty) {
      dirty = false
      try {
        await storage.set(key, JSON.stringify([...ids]))
      } catch (error) {
        dirty = true
        throw error
      }
    }
  }

  function save(): Promise<void> {
    saving ??= write().finally(() => {
      saving = null
    })
    return saving
  }

  return {
    add(id) {
      if (ids.has(kept(id))) return false
      ids.add(kept(id))
      if (ids.size > capacity) for (const oldest of ids) if (ids.delete(oldest)) break
      dirty = true
      return true
    },
    remove(id) {
      dirty = ids.delete(kept(id)) || dirty
    },
    saveSoon() {
      // A storage that refuses (full, or gone) must not stop messages: the ids stay in memory, and the next one tries again.
      timer ??= setTimeout(() => save().catch(() => null), GATHER_MS)
    },
    save,
  }
}

/** Takes every id as new. */
export const nothingSeen: SeenIds = {
  add: () => true,
  remove: () => undefined,
  saveSoon: () => undefined,
  save: async () => undefined,
}
