/** Ids that this device has shown already: the last of the four places where a message is kept from appearing twice. */
import type { ClientStorage } from './storage.ts'

const KEY = 'seen'

export interface SeenIds {
  /** True when the id is new; it counts as seen from then on. */
  add(id: string): boolean
  /** Takes an id back, when the message could not be opened after all. */
  remove(id: string): void
  /** Writes what changed. Called after a message was handed over. */
  save(): Promise<void>
}

/** Keeps the latest `capacity` ids, oldest first, over restarts. */
export async function loadSeenIds(storage: ClientStorage, capacity = 20_000): Promise<SeenIds> {
  const text = await storage.get(KEY)
  const ids = new Set<string>(text ? (JSON.parse(text) as string[]) : [])
  let saving: Promise<void> | null = null
  let dirty = false

  async function write(): Promise<void> {
    while (dirty) {
      dirty = false
      await storage.set(KEY, JSON.stringify([...ids]))
    }
  }

  return {
    add(id) {
      if (ids.has(id)) return false
      ids.add(id)
      if (ids.size > capacity) for (const oldest of ids) if (ids.delete(oldest)) break
      dirty = true
      return true
    },
    remove(id) {
      dirty = ids.delete(id) || dirty
    },
    save() {
      saving ??= write().finally(() => {
        saving = null
      })
      return saving
    },
  }
}

/** Takes every id as new. */
export const nothingSeen: SeenIds = { add: () => true, remove: () => undefined, save: async () => undefined }
