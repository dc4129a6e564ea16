/** Pages of the inbox that no choice of envelopes makes large: they end by bytes too. */
import type { InboxItem, InboxQuery, Store } from '../store/port.ts'

/** Bytes of envelopes with which a page ends: 200 of the largest would be 26 MB, as JSON a third more, for each reader. */
export const PAGE_BYTES = 1_048_576

/** The next items, oldest first. `last`: there were no more when they were read. */
export async function readInboxPage(
  store: Pick<Store, 'inbox'>,
  query: Omit<InboxQuery, 'maxBytes'>,
): Promise<{ items: InboxItem[]; last: boolean }> {
  const items = await store.inbox({ ...query, maxBytes: PAGE_BYTES })
  const bytes = items.reduce((sum, item) => sum + item.bytes.length, 0)
  return { items, last: items.length < query.limit && bytes < PAGE_BYTES }
}
