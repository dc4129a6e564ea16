/** Embedded nodes and unmodified SDK light nodes on loopback. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../../src/adapter/testing/wait.ts'
import type { LightClient } from './sandbox/light-client.ts'
import { createNetworkBench } from './testing/bench.ts'
import { startTestNode, testMessage } from './testing/node.ts'

const TOPIC = '/causeway/1/in-7/cbor'
const { startNode, connect, later } = createNetworkBench()
const signal = new AbortController().signal

async function listen(client: LightClient, topics = [TOPIC]): Promise<string[]> {
  const heard: string[] = []
  await client.subscribe(topics, (frame) => heard.push(Buffer.from(frame).toString()))
  return heard
}

describe('a node and light clients of the SDK', () => {
  it('carries a frame from Light Push 3 and from Light Push 2 to Filter and to the Store', async () => {
    const node = await startNode()
    const [sender, legacySender, receiver] = await Promise.all([
      connect(node),
      connect(node, { useLegacyLightPush: true }),
      connect(node),
    ])
    const heard = await listen(receiver)
    const since = Date.now()
    const first = await sender.publishFrame(TOPIC, Buffer.from('three'))
    const second = await legacySender.publishFrame(TOPIC, Buffer.from('two'))
    await waitFor(() => heard.length === 2)
    expect(heard.toSorted()).toEqual(['three', 'two'])
    expect(node.heard.map(({ message, origin }) => [message.id, origin])).toEqual([
      [first, 'lightPush'],
      [second, 'lightPush'],
    ])
    const late = await connect(node)
    expect((await late.catchUp([TOPIC], since)).map(String)).toHaveLength(2)
  })

  it('delivers an ephemeral frame and does not keep it', async () => {
    const node = await startNode()
    const [sender, receiver] = await Promise.all([connect(node), connect(node)])
    const heard = await listen(receiver)
    await sender.publishFrame(TOPIC, Buffer.from('gone'), { ephemeral: true })
    await waitFor(() => heard.length === 1)
    expect(node.archive.count()).toBe(0)
  })

  it('survives more requests in a row than js-mplex forgives a server that leaves streams unread', async () => {
    const node = await startNode()
    const [sender, receiver] = await Promise.all([connect(node), connect(node)])
    const heard = await listen(receiver)
    for (let index = 0; index < 60; index++) await sender.publishFrame(TOPIC, Buffer.from(String(index)))
    await waitFor(() => heard.length === 60)
    expect(new Set(heard).size).toBe(60)
  })

  it('hears again after the node was away, from the Store and by Filter', async () => {
    let node = await startTestNode()
    const listenOn = [node.websocket.replace(/\/p2p\/.*/, '')]
    const key = await generateKeyPair('Ed25519')
    await node.stop()
    node = await startTestNode({ listen: listenOn, privateKey: key })
    const { archive } = node
    const client = await connect(node)
    const heard = await listen(client)
    await node.node.stop()
    archive.put(testMessage({ contentTopic: TOPIC, payload: Buffer.from('meanwhile') }))
    node = await startTestNode({ listen: listenOn, privateKey: key, archive })
    later(() => node.stop())
    await waitFor(() => heard.includes('meanwhile'))
    await waitFor(async () => {
      await node.node.publish(testMessage({ contentTopic: TOPIC, payload: Buffer.from('afterwards') }))
      return heard.includes('afterwards')
    })
  })
})

describe('a mesh of two gateways and a stand-alone service node', () => {
  it('carries a frame from a light client on any of them to light clients on all', async () => {
    const service = await startNode()
    const gateways = await Promise.all([
      startNode({ peers: [service.tcp] }),
      startNode({ peers: [service.tcp] }),
    ])
    const nodes = [service, ...gateways]
    await waitFor(
      () => service.node.relayPeers() === 2 && gateways.every(({ node }) => node.relayPeers() >= 1),
    )
    const clients = await Promise.all(nodes.map((node) => connect(node)))
    const heard = await Promise.all(clients.map((client) => listen(client)))
    // The mesh forms with gossipsub's heartbeat; until then only direct peers hear. A frame is sent until all heard it.
    await waitFor(
      async () => {
        await clients[1]!.publishFrame(TOPIC, Buffer.from('mesh'))
        return heard.every((frames) => frames.includes('mesh'))
      },
      { intervalMs: 200 },
    )
    for (const [index, client] of clients.entries())
      await client.publishFrame(TOPIC, Buffer.from(`from ${index}`))
    for (const frames of heard) {
      await waitFor(() => [0, 1, 2].every((index) => frames.includes(`from ${index}`)), {
        what: `all frames, has ${frames}`,
      })
    }
    // What went out before the mesh had formed is fetched from the archives.
    for (const { node, archive } of gateways) {
      await node.sync(Date.now() - 60_000, signal)
      expect(archive.count()).toBe(service.archive.count())
    }
  })

  it('a gateway that was away fetches what the others archived, and gives what it took meanwhile', async () => {
    const service = await startNode({ syncWith: 'relay' })
    const away = await startNode()
    const missed = testMessage({ contentTopic: TOPIC })
    const taken = testMessage({ contentTopic: TOPIC })
    await service.node.publish(missed)
    await away.node.publish(taken)
    expect(away.archive.has(missed.hash)).toBe(false)
    // The same archive, now with a way to the others: a gateway that comes back.
    const back = await startNode({ peers: [service.tcp], archive: away.archive })
    await waitFor(() => back.archive.has(missed.hash) && service.archive.has(taken.hash))
    expect(back.heard.map(({ message, origin }) => [message.id, origin])).toEqual([[missed.id, 'sync']])
  })

  it('a message is archived, heard and relayed once, however often it is published', async () => {
    const service = await startNode()
    const gateway = await startNode({ peers: [service.tcp] })
    await waitFor(() => gateway.node.relayPeers() === 1)
    const message = testMessage()
    for (let index = 0; index < 3; index++) expect(await gateway.node.publish(message)).toBe(1)
    await waitFor(() => service.heard.length > 0)
    await gateway.node.publish(testMessage({ payload: Buffer.from('last') }))
    await waitFor(() => service.heard.length === 2)
    expect(service.archive.count()).toBe(2)
  })

  it('a message published to nobody is relayed by a retry, once there is a peer', async () => {
    const service = await startNode({ syncWith: 'configured' })
    const gateway = await startNode({ peers: [service.tcp], redial: { minMs: 500, maxMs: 500 } })
    const message = testMessage()
    const alone = await startNode()
    expect(await alone.node.publish(message)).toBe(0)
    await waitFor(() => gateway.node.relayPeers() === 1)
    expect(await gateway.node.publish(message)).toBe(1)
    await waitFor(() => service.archive.has(message.hash))
  })
})
