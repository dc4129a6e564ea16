/** What a service may pile up that tells an enrolled wallet of more than the gateway can look up. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { expect, it } from 'vitest'
import { systemClock } from '../../../src/adapter/index.ts'
import { createRecordingContext } from '../../../src/adapter/testing/context.ts'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import { createChain } from '../chain.ts'
import { didOfAddress } from '../did.ts'
import { createProfiles } from '../profiles.ts'
import { createRestClient } from '../rest.ts'
import type { EnrolledAccount } from './account.ts'
import { createGroups } from './conversations.ts'
import { openMember } from './member.ts'
import { createSentMessages } from './sent.ts'

const CAPACITY = 500
const did = didOfAddress(`0x${'a'.repeat(40)}`)
const inviter = didOfAddress(`0x${'b'.repeat(40)}`)

/** Its key is not used: being invited is no message. */
const account: EnrolledAccount = {
  did,
  admit: async () => undefined,
  check: async () => undefined,
  ended: () => new AbortController().signal,
  send: async () => 'cid',
  accept: async () => undefined,
  open: async () => ({ object: null, reason: 'undecryptable' }),
  dispose: async () => undefined,
}

it('invitations that come faster than groups can be looked up are let go beyond a limit', async () => {
  const released = Promise.withResolvers<void>()
  const http = createServer((_request, response) => {
    const body = JSON.stringify({ groupName: 'ours', isPublic: false })
    void released.promise.then(() =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(body),
    )
  })
  const server = new Server(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const baseUrl = `http://127.0.0.1:${(http.address() as AddressInfo).port}/apis`
  const context = createRecordingContext()
  const { storage, log } = context
  const rest = createRestClient({ baseUrl, timeoutMs: 60_000, clock: systemClock, observe: () => undefined })
  const line = { baseUrl, timeoutMs: 60_000, longestPauseMs: 500 }
  const member = openMember({
    id: 'one',
    account,
    gateway: inviter,
    rest,
    profiles: createProfiles({ rest, storage, clock: systemClock, log, cacheMs: 0 }),
    chain: createChain(rest),
    groups: createGroups({ rest, storage }),
    sent: createSentMessages(storage, 'one'),
    context,
    line,
  })
  const states = () => context.enrolmentStates.map(({ report }) => report.state)
  const reached = (state: string, what: string) =>
    waitFor(() => states().at(-1) === state, { what, timeoutMs: 60_000 })
  const invite = (chatId: string) =>
    server.emit('CHAT_GROUPS', { eventType: 'request', chatId, from: inviter, to: [did], timestamp: 1 })

  await reached('connected', 'the line')
  for (let count = 0; count < CAPACITY + 100; count++) invite('flood')
  // In order: when the end is heard, all of them were.
  server.disconnectSockets()
  await waitFor(() => states().includes('transientDisconnect'), { what: 'the end', timeoutMs: 60_000 })
  released.resolve()
  await reached('connected', 'the line again')
  await waitFor(() => context.natives.length >= CAPACITY, { what: 'the flood', timeoutMs: 60_000 })
  await waitFor(
    () => {
      invite('later')
      return context.natives.some(({ inbound }) => inbound.conversation.remoteId === 'later')
    },
    { what: 'a later invitation', timeoutMs: 60_000, intervalMs: 500 },
  )
  const flood = context.natives.filter(({ inbound }) => inbound.conversation.remoteId === 'flood')
  expect(flood).toHaveLength(CAPACITY)
  await member.close()
  await server.close()
  await context.dispose()
}, 240_000)
