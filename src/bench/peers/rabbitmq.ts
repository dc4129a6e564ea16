/** RabbitMQ: a quorum queue with publisher confirms and consumer acknowledgements. It does not look for repeats. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buildLink, type Later, type Link, MESSAGE_BYTES, type Peer } from './peer.ts'
import { freePorts, startServer, temporaryFolder } from './server.ts'

const QUEUE = 'relay'
const PREFETCH = 256
// Debian's wrapper in /usr/sbin changes to a system user, which has no place in a temporary folder.
const PROGRAMS = ['/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server']

export const rabbitmq: Peer = {
  name: 'rabbitmq',
  title: 'RabbitMQ, quorum queue, confirms',
  needs: { programs: PROGRAMS, debian: 'rabbitmq-server', modules: ['amqplib'] },
  open: () => buildLink(build),
}

async function build(later: Later): Promise<Omit<Link, 'stop'>> {
  const { connect } = await import('amqplib')
  const folder = await temporaryFolder(later)
  const [port, distribution, mapper] = (await freePorts(3)) as [number, number, number]
  const empty = join(folder, 'empty.conf')
  const plugins = join(folder, 'plugins')
  await writeFile(empty, '')
  await writeFile(plugins, '[].')
  // RabbitMQ would start a port mapper that outlives it: this one is ours to end.
  await startServer({
    programs: ['epmd'],
    parameters: ['-address', '127.0.0.1', '-port', String(mapper)],
    folder,
    port: mapper,
    later,
  })
  const server = await startServer({
    programs: PROGRAMS,
    parameters: [],
    environment: {
      ERL_EPMD_ADDRESS: '127.0.0.1',
      ERL_EPMD_PORT: String(mapper),
      RABBITMQ_NODENAME: `bench${port}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_MNESIA_BASE: join(folder, 'data'),
      RABBITMQ_LOG_BASE: join(folder, 'log'),
      RABBITMQ_CONFIG_FILE: empty,
      RABBITMQ_CONF_ENV_FILE: empty,
      RABBITMQ_ENABLED_PLUGINS_FILE: plugins,
      // Otherwise a shell stays between, whose process id is not the server's.
      RUNNING_UNDER_SYSTEMD: '1',
    },
    folder,
    port,
    later,
  })
  const connection = await connect(`amqp://guest:guest@127.0.0.1:${port}`)
  later(() => connection.close())
  const publisher = await connection.createConfirmChannel()
  await publisher.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  const reader = await connect(`amqp://guest:guest@127.0.0.1:${port}`)
  later(() => reader.close())
  const consumer = await reader.createChannel()
  await consumer.prefetch(PREFETCH)
  const message = Buffer.alloc(MESSAGE_BYTES, 0x61)

  const link: Omit<Link, 'stop'> = {
    prepare: () => undefined,
    publish: (number) =>
      new Promise((resolve, reject) => {
        const content = Buffer.from(message)
        content.writeUInt32BE(number)
        publisher.sendToQueue(QUEUE, content, { persistent: true }, (error: unknown) => {
          if (error) reject(error instanceof Error ? error : new Error('RabbitMQ refused a message'))
          else resolve()
        })
      }),
    onDelivery: () => undefined,
    serverCpu: async () => server.cpu(),
  }
  await consumer.consume(QUEUE, (delivered) => {
    if (delivered === null) return
    link.onDelivery(delivered.content.readUInt32BE(0))
    consumer.ack(delivered)
  })
  return link
}
