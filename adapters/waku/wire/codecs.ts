/** Protocol identifiers of Waku over libp2p. */
export const codecs = {
  relay: '/vac/waku/relay/2.0.0',
  metadata: '/vac/waku/metadata/1.0.0',
  lightPushV2: '/vac/waku/lightpush/2.0.0-beta1',
  lightPushV3: '/vac/waku/lightpush/3.0.0',
  filterSubscribe: '/vac/waku/filter-subscribe/2.0.0-beta1',
  filterPush: '/vac/waku/filter-push/2.0.0-beta1',
  store: '/vac/waku/store-query/3.0.0',
} as const

/** Most content topics that one Filter or Store request may hold (nwaku's limit). */
export const MAX_CONTENT_TOPICS_PER_REQUEST = 100

/** Most messages in one Store answer (nwaku's limit). */
export const MAX_PAGE_SIZE = 100

/** Longest time range of one Store query in nanoseconds: 24 hours (nwaku's limit). */
export const MAX_QUERY_RANGE_NS = 24n * 60n * 60n * 1_000_000_000n
