/** A whole gateway hearing a network: frames that anyone may have put there. */

import type { DeliverResult } from '../../../src/adapter/index.ts'
import {
  decodeFrame,
  encodeFrame,
  frameForEnvelope,
  opaqueIdentifier,
  toHex,
  withHop,
} from '../../../src/envelope/index.ts'
import { RelayBench } from '../../../src/relay/testing/bench.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { relayPerson, sealedFor } from './gateway-people.ts'
import { Refused } from './stand-ins.ts'

export const relayTargets = [
  defineTarget<Uint8Array>({
    name: 'relay-ingress',
    format: 'cbor',
    inputs: 100_000,
    testInputs: 1_500,
    async open() {
      const bench = new RelayBench()
      const [alice, bob, mallory] = await Promise.all(['alice', 'bob', 'mallory'].map(relayPerson))
      if (!alice || !bob || !mallory) throw new Error('unreachable: three names give three persons')
      const gateway = await bench.gateway({
        name: 'gateway-a',
        networks: { waku: bench.network() },
        wallets: [alice, bob],
      })
      const envelopes = await sealedFor(alice, bob)
      const ids = new Set(envelopes.map(({ id }) => toHex(id)))
      const hop = { gateway: 'gateway-b', network: 'trtc', at: Date.now() }
      const frames = envelopes.map(({ bytes }) => frameForEnvelope(bytes, alice.certificate))
      const [forMallory] = await sealedFor({ ...mallory, wallet: alice.wallet }, bob)
      const opaque = {
        kind: 2 as const,
        id: opaqueIdentifier('xmtp', 'abc'),
        bytes: new Uint8Array(100),
        trace: [],
        mode: 'opaque' as const,
        certificate: null,
      }
      let heard = 0
      return {
        seeds: [...frames, ...frames.map((frame) => withHop(frame, hop))].map(encodeFrame),
        hostile: [frameForEnvelope(forMallory!.bytes, alice.certificate), opaque].map(encodeFrame),
        async run(input) {
          heard += 1
          const result = await gateway.relay.hear('waku', {
            frame: input,
            remoteId: `fuzz-${heard}`,
            to: null,
            from: null,
            via: 'stream',
            remoteTime: null,
            transactionId: null,
          })
          if (result.outcome === 'refused') throw new Refused(result.code)
          return result
        },
        typed: codeOfClass(Refused),
        async forged(input, value) {
          const { id } = value as Exclude<DeliverResult, { outcome: 'refused' }>
          if (!ids.has(id) || toHex(decodeFrame(input).id) !== id)
            return 'a frame was taken that nobody signed'
          const items = await gateway.inbox(bob)
          return items.length <= ids.size ? null : 'an inbox holds an id twice'
        },
        close: () => bench.close(),
      }
    },
  }),
]
