import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { simulatorAddress } from '../../adapters/simulator/index.ts'
import { waitFor } from '../adapter/testing/wait.ts'
import { createCustody } from '../custody.ts'
import { decodeFrame, utf8Decode, utf8Encode } from '../envelope/index.ts'
import { parcelConversation, parcelIdentifier } from './parcels.ts'
import { createPerson, RelayBench } from './testing/bench.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

/** A wallet whose topic `t` of `source` is mirrored to the fast transport, and the messages of a stream of it. */
async function setUp() {
  const bob = createPerson()
  const [source, trtc] = [bench.network(), bench.network()]
  const vault = createCustody({ key: new Uint8Array(randomBytes(32)), previous: [] })
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { source, trtc },
    wallets: [bob],
    parts: { vault },
  })
  const texts: string[] = []
  trtc.attachClient(simulatorAddress(bob.wallet), (frame) => texts.push(utf8Decode(decodeFrame(frame).bytes)))
  await gateway.relay.mirrors.put(bob.wallet, 'source', { topics: ['t'] })
  const [mirror] = await gateway.store.mirrorsOf(bob.wallet)
  const hear = (text: string) =>
    gateway.relay.hearOpaque('source', {
      mirror: mirror!.id,
      remoteId: `t/${text}`,
      kind: 'message',
      bytes: utf8Encode(text),
      conversation: 't',
      remoteTime: null,
      silent: false,
      via: 'stream',
    })
  return {
    bob,
    gateway,
    texts,
    hear,
    idOf: (text: string) => parcelIdentifier('source', bob.wallet, `t/${text}`),
  }
}

test('when the choices of the wallet cannot be read, nothing is taken, and the message is sent on when it comes again', async () => {
  const { gateway, texts, hear, idOf } = await setUp()
  const { store } = gateway
  const read = store.inboxRules
  store.inboxRules = async () => Promise.reject(new Error('the disk is gone'))
  await expect(hear('1')).rejects.toThrow('the disk is gone')
  expect(await store.isTaken(idOf('1'))).toBe(false)
  store.inboxRules = read
  expect(await hear('1')).toMatchObject({ outcome: 'accepted' })
  await waitFor(() => texts.includes('1'), { what: 'the parcel on the fast transport' })
})

test('of a topic whose conversation is denied, parcels are kept and neither sent on nor shown', async () => {
  const { bob, gateway, texts, hear, idOf } = await setUp()
  const shown: number[] = []
  gateway.live.subscribe(bob.wallet, { item: ({ seq }) => shown.push(seq) > 0, dropped() {} })
  const conversation = parcelConversation('source', 't')
  const choose = (consent: 'denied' | 'allowed') =>
    gateway.relay.conversations.choose({ wallet: bob.wallet, conversation, peer: null, consent })
  await choose('denied')
  expect(await hear('denied')).toMatchObject({ outcome: 'accepted' })
  expect(await gateway.deliveries(idOf('denied'))).toEqual([])
  expect([shown, await gateway.inbox(bob)]).toEqual([[], []])
  const query = { wallet: bob.wallet, after: 0, limit: 10, conversation }
  expect((await gateway.store.inbox(query)).items).toHaveLength(1)

  await choose('allowed')
  await hear('allowed')
  await waitFor(() => texts.length > 0, { what: 'the parcel on the fast transport' })
  expect(texts).toEqual(['allowed'])
})
