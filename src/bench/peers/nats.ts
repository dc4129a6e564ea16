/** NATS JetStream with file storage. It drops repeats by message id within a window, and answers before anything is synced. */
import { buildLink, type Later, type Link, MESSAGE_BYTES, type Peer } from './peer.ts'
import { freePorts, startServer, temporaryFolder } from './server.ts'

const STREAM = 'relay'
const SUBJECT = 'relay.messages'
const READER = 'reader'
const AHEAD = 256
const PROGRAMS = ['nats-server']

export const nats: Peer = {
  name: 'nats',
  title: 'NATS JetStream, file storage (not synced)',
  needs: { programs: PROGRAMS, debian: 'nats-server', modules: ['nats'] },
  open: () => buildLink(build),
}

async function build(later: Later): Promise<Omit<Link, 'stop'>> {
  const { AckPolicy, connect, headers, StorageType } = await import('nats')
  const folder = await temporaryFolder(later)
  const [port] = (await freePorts(1)) as [number]
  const server = await startServer({
    programs: PROGRAMS,
    parameters: ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder],
    folder,
    port,
    later,
  })
  const [publisher, reader] = await Promise.all(
    [0, 1].map(() => connect({ servers: `127.0.0.1:${port}`, reconnect: false })),
  )
  later(() => Promise.all([publisher!.close(), reader!.close()]))
  const manager = await publisher!.jetstreamManager()
  await manager.streams.add({ name: STREAM, subjects: [SUBJECT], storage: StorageType.File })
  await manager.consumers.add(STREAM, { durable_name: READER, ack_policy: AckPolicy.Explicit })
  const stream = publisher!.jetstream()
  const consumer = await reader!.jetstream().consumers.get(STREAM, READER)
  const messages = await consumer.consume({ max_messages: AHEAD })
  later(async () => {
    messages.stop()
    await reading
  })
  const message = Buffer.alloc(MESSAGE_BYTES, 0x61)

  const link: Omit<Link, 'stop'> = {
    prepare: () => undefined,
    async publish(number) {
      const content = Buffer.from(message)
      content.writeUInt32BE(number)
      const named = headers()
      named.set('Nats-Msg-Id', `message-${number}`)
      await stream.publish(SUBJECT, content, { headers: named })
    },
    onDelivery: () => undefined,
    serverCpu: async () => server.cpu(),
  }
  const reading = (async () => {
    for await (const delivered of messages) {
      const { buffer, byteOffset } = delivered.data
      link.onDelivery(new DataView(buffer, byteOffset).getUint32(0))
      delivered.ack()
    }
  })()
  return link
}
