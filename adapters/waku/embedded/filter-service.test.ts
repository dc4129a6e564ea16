import type { Connection } from '@libp2p/interface'
import { proto_filter_v2 } from '@waku/proto'
import { Uint8ArrayList } from 'uint8arraylist'
import { expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/index.ts'
import { PUBSUB_TOPIC, quietLog } from '../testing/node.ts'
import { FilterService } from './filter-service.ts'
import { defaultLimits } from './options.ts'

const { FilterSubscribeRequest, FilterSubscribeResponse } = proto_filter_v2
const peer = { remotePeer: { toString: () => 'peer' } } as unknown as Connection

it('content topics are bounded in length, so that a peer cannot fill the memory with them', () => {
  const service = new FilterService({
    pubsubTopic: PUBSUB_TOPIC,
    limits: defaultLimits,
    clock: systemClock,
    log: quietLog,
  })
  const subscribe = (contentTopic: string) => {
    const request = FilterSubscribeRequest.encode({
      requestId: 'r',
      filterSubscribeType: FilterSubscribeRequest.FilterSubscribeType.SUBSCRIBE,
      pubsubTopic: PUBSUB_TOPIC,
      contentTopics: [contentTopic],
    })
    return FilterSubscribeResponse.decode(service.answer(new Uint8ArrayList(request), peer)).statusCode
  }
  expect(subscribe('x'.repeat(257))).toBe(400)
  expect(service.peers).toBe(0)
  expect(subscribe('x'.repeat(256))).toBe(200)
})
