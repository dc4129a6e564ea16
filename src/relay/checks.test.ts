import { afterEach, expect, test } from 'vitest'
import { directConversation } from '../envelope/index.ts'
import { createPerson, nativeFrame, RelayBench, seal } from './testing/bench.ts'
import { heard, scripted } from './testing/scripted.ts'

let bench = new RelayBench()
afterEach(async () => {
  await bench.close()
  bench = new RelayBench()
})

test('nobody writes into the conversation of two others', async () => {
  const [alice, bob, mallory] = [createPerson(), createPerson(), createPerson()]
  const waku = scripted()
  const gateway = await bench.gateway({
    name: 'gw-a',
    networks: { waku: waku.definition },
    wallets: [alice, bob, mallory],
  })
  const theirs = directConversation(alice.wallet, bob.wallet)
  const { bytes } = await seal(mallory, [bob], { conversation: theirs })
  const code = 'envelope-conversation-mismatch'
  await expect(gateway.submit(mallory, bytes)).rejects.toMatchObject({ code })
  expect(await waku.context().deliver(heard(nativeFrame(mallory, bytes), 'r'))).toEqual({
    outcome: 'refused',
    code,
  })
  expect(await gateway.inbox(bob)).toEqual([])
  for (const peer of [alice, bob]) {
    await gateway.submit(alice, (await seal(alice, [peer])).bytes)
  }
  await gateway.submit(bob, (await seal(bob, [alice], { conversation: theirs })).bytes)
})
