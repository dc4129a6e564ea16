/** The stand-in's server: REST below `/apis`, sockets at the root. SANDBOX. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import * as openpgp from 'openpgp'
import { Server } from 'socket.io'
import { createListener } from '../../../src/adapter/sandbox-listener.ts'
import { createEvents } from './events.ts'
import { createFaultState, type PushFaults } from './faults.ts'
import { mountChannels } from './routes/channels.ts'
import { mountGroups } from './routes/groups.ts'
import { mountLists } from './routes/lists.ts'
import { LostAnswer, mountMessages } from './routes/messages.ts'
import { mountUsers } from './routes/users.ts'
import { Refusal, type Service } from './service.ts'
import { membersOf, openState, type State, type User } from './state.ts'

/** The SDK sends no more than this in one request. */
const LARGEST_BODY_BYTES = 10_000_000

export interface PushNodeOptions {
  seed: number
  /** SQLite file; null for memory. */
  file: string | null
  port: number
  strict: boolean
  now(): number
}

export interface PushNode {
  /** `http://127.0.0.1:<port>/apis` */
  baseUrl: string
  state: State
  faults: PushFaults
  /** Calls so far by method and path, with ids and accounts left out. */
  calls: ReadonlyMap<string, number>
  stop(): Promise<void>
}

export async function startPushNode(options: PushNodeOptions): Promise<PushNode> {
  const state = openState({ file: options.file, now: options.now })
  const controls = createFaultState(options.seed)
  const calls = new Map<string, number>()
  const substitutes = new Map<string, User>()
  const hanging = new Set<Socket>()
  const app = new Hono<{ Bindings: HttpBindings }>()
  const server = createServer(getRequestListener(app.fetch, { overrideGlobalObjects: false }))
  const sockets = new Server(server, { serveClient: false })
  const events = createEvents(sockets, controls)
  const service: Service = {
    state,
    events,
    now: options.now,
    strict: options.strict,
    takeLostAnswer: controls.takeLostAnswer,
  }

  app.use('*', async (context, next) => {
    const { method, path } = context.req
    const name = `${method} ${routeName(path)}`
    calls.set(name, (calls.get(name) ?? 0) + 1)
    if (Number(context.req.header('content-length') ?? 0) > LARGEST_BODY_BYTES) {
      return context.json({ error: 'PayloadTooLarge', message: 'too large', validation: '' }, 413)
    }
    const fault = controls.takeCallFault(method, path)
    if (fault?.kind === 'hang') {
      const { socket } = context.env.incoming
      hanging.add(socket)
      await once(socket, 'close')
      hanging.delete(socket)
      return context.body(null, 504)
    }
    if (fault?.kind === 'status') {
      const body = { error: 'Fault', message: 'switched on in the sandbox', validation: '' }
      return context.json(body, fault.status as ContentfulStatusCode)
    }
    return next()
  })
  app.onError((error, context) => {
    if (error instanceof Refusal) return context.json(error.body(), error.status)
    if (error instanceof LostAnswer) {
      context.env.incoming.socket.destroy()
      return context.body(null, 502)
    }
    return context.json({ error: 'Internal', message: String(error), validation: '' }, 500)
  })
  const routes = new Hono()
  mountUsers(routes, service)
  mountMessages(routes, service)
  mountLists(routes, service)
  mountGroups(routes, service)
  mountChannels(routes, service)
  app.route('/apis', routes)
  app.notFound((context) =>
    context.json({ error: 'NotFound', message: context.req.path, validation: '' }, 404),
  )
  const listener = createListener(server, options.port)
  await listener.open()

  function plantBadlySigned(from: string, to: string): string {
    const chat = state.findChat(from, to)
    const latest = [...state.messages.values()].findLast(
      (message) => message.chatId === chat?.chatId && message.fromDID === from,
    )
    if (!chat || !latest) throw new RangeError('there is no message of this sender to make a bad copy of')
    const { cid, link, timestamp, ...body } = latest
    return state.append(chat, { ...body, messageObj: `${String(body.messageObj).slice(0, -4)}AAAA` }).cid
  }

  async function substituteKey(did: string, on: boolean): Promise<void> {
    const genuine = substitutes.get(did)
    const user = state.users.get(did)
    if (!on) {
      if (genuine) state.users.set(did, genuine)
      substitutes.delete(did)
    } else if (user) {
      const other = await openpgp.generateKey({
        type: 'rsa',
        rsaBits: 2048,
        userIDs: [{ name: '', email: '' }],
      })
      if (!genuine) substitutes.set(did, user)
      const publicKey = JSON.stringify({ key: other.publicKey, signature: 'DEPRECATED' })
      state.users.set(did, { ...user, publicKey })
    }
  }

  return {
    baseUrl: `http://127.0.0.1:${listener.port()}/apis`,
    state,
    calls,
    faults: {
      async outage(on) {
        if (on) sockets.disconnectSockets(true)
        await (on ? listener.close() : listener.open())
      },
      latency(ms) {
        controls.latencyMs = ms
      },
      loss(share) {
        controls.lossShare = share
      },
      duplication(share) {
        controls.duplicationShare = share
      },
      reordering(share) {
        controls.reorderingShare = share
      },
      failWith: controls.failWith,
      hang: controls.hang,
      answerLost: controls.answerLost,
      healCalls() {
        controls.healCalls()
        for (const socket of hanging) socket.destroy()
      },
      outOfOrder: controls.outOfOrder,
      plantBadlySigned,
      substituteKey,
      redeliver(cid) {
        const message = state.messages.get(cid)
        const chat = message && state.chats.get(message.chatId)
        if (!chat) throw new RangeError('no such message')
        events.message(message, chat, membersOf(chat))
      },
      cutSockets: () => sockets.disconnectSockets(true),
    },
    async stop() {
      events.stop()
      await listener.close()
      await sockets.close()
      state.close()
    },
  }
}

function routeName(path: string): string {
  return path
    .replace(/^\/apis/, '')
    .replace(/(eip155(:|%3A)(\d+(:|%3A))?)?0x[0-9a-fA-F]{40}/g, ':account')
    .replace(/\bb[a-z2-7]{50,}/g, ':cid')
    .replace(/\b[0-9a-f]{64}\b/g, ':chat')
}
