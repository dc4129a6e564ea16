/** Pages of the inbox that no choice of envelopes makes large: they end by bytes too. */
import type { InboxPage, InboxQuery, Store } from '../store/port.ts'

/** Bytes of envelopes with which a page ends: 200 of the largest would be 26 MB, as JSON a third more, for each reader. */
export const PAGE_BYTES = 1_048_576

export function readInboxPage(
  store: Pick<Store, 'inbox'>,
  query: Omit<InboxQuery, 'maxBytes'>,
): Promise<InboxPage> {
  return store.inbox({ ...query, maxBytes: PAGE_BYTES })
}
