/** BullMQ on Redis with an append-only file that is synced before every answer. It drops repeats by job id while it keeps the job. */
import { buildLink, type Later, type Link, MESSAGE_BYTES, type Peer } from './peer.ts'
import { freePorts, startServer, temporaryFolder } from './server.ts'

const QUEUE = 'relay'
const CONCURRENCY = 64
const KEPT_SECONDS = 3_600
const PROGRAMS = ['redis-server']

export const bullmq: Peer = {
  name: 'bullmq',
  title: 'BullMQ on Redis, appendfsync always',
  needs: { programs: PROGRAMS, debian: 'redis-server', modules: ['bullmq', 'ioredis'] },
  open: () => buildLink(build),
}

async function build(later: Later): Promise<Omit<Link, 'stop'>> {
  const { Queue, Worker } = await import('bullmq')
  const folder = await temporaryFolder(later)
  const [port] = (await freePorts(1)) as [number]
  const server = await startServer({
    programs: PROGRAMS,
    parameters: Object.entries({
      bind: '127.0.0.1',
      port,
      dir: folder,
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
    }).flatMap(([name, value]) => [`--${name}`, String(value)]),
    folder,
    port,
    later,
  })
  const connection = { host: '127.0.0.1', port }
  const queue = new Queue<{ number: number; text: string }>(QUEUE, { connection })
  const text = 'a'.repeat(MESSAGE_BYTES)

  let stopping = false
  const link: Omit<Link, 'stop'> = {
    prepare: () => undefined,
    async publish(number) {
      const options = { jobId: `message-${number}`, removeOnComplete: { age: KEPT_SECONDS } }
      await queue.add('message', { number, text }, options)
    },
    onDelivery: () => undefined,
    serverCpu: async () => server.cpu(),
  }
  const worker = new Worker<{ number: number; text: string }>(
    QUEUE,
    async ({ data }) => link.onDelivery(data.number),
    { connection, concurrency: CONCURRENCY },
  )
  const onError = (error: Error) => {
    // Connections end with their server, after everything was measured.
    if (!stopping) throw error
  }
  later(async () => {
    stopping = true
    await Promise.all([worker.close(true), queue.close()])
  })
  worker.on('error', onError)
  queue.on('error', onError)
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
  return link
}
