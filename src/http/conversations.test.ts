import { afterEach, expect, it } from 'vitest'
import { directConversation, toHex } from '../envelope/index.ts'
import { HttpBench, type SignedIn, seal, until } from './testing/bench.ts'

let bench = new HttpBench()
afterEach(async () => {
  await bench.close()
  bench = new HttpBench()
})

async function setUp() {
  const http = await bench.gateway()
  const [alice, bob, eve] = [await http.signIn(), await http.signIn(), await http.signIn()]
  const send = async (from: SignedIn, to: SignedIn, text = 'hello') => {
    const { id, bytes } = await seal(from.person, [to], { text })
    expect((await from.call('POST', '/v1/envelopes', bytes)).status).toBe(202)
    return toHex(id)
  }
  return { http, alice, bob, eve, send, ofBoth: toHex(directConversation(alice.wallet, bob.wallet)) }
}

it('pages go back from the newest item, and forwards from where a cursor stands', async () => {
  const { alice, bob, send } = await setUp()
  const ids = []
  for (let number = 0; number < 5; number++) ids.push(await send(alice, bob, `${number}`))
  const back: string[] = []
  for (let query = ''; ; ) {
    const { body } = await bob.call('GET', `/v1/inbox?order=newest&limit=2${query}`)
    back.push(...body.items.map((item: { id: string }) => item.id))
    // Arrivals do not move what was there.
    await send(alice, bob, 'later')
    if (body.next === null) break
    query = `&before=${body.next}`
  }
  expect(back).toEqual(ids.toReversed())
  const forwards = await bob.call('GET', '/v1/inbox?limit=5')
  expect(forwards.body).toMatchObject({ complete: false, items: ids.map((id) => ({ id, origin: null })) })
})

it('a wallet sees and changes its own conversations alone, named by id or by wallet', async () => {
  const { alice, bob, eve, send, ofBoth } = await setUp()
  const id = await send(alice, bob)
  const seen = await bob.call('GET', `/v1/conversations/${encodeURIComponent(alice.wallet)}`)
  expect(seen.body).toMatchObject({
    conversation: ofBoth,
    peer: alice.wallet,
    unread: 1,
    readThrough: null,
    lastId: id,
  })
  expect((await alice.call('GET', `/v1/conversations/${ofBoth}`)).body).toMatchObject({
    peer: bob.wallet,
    unread: 0,
    consent: 'allowed',
  })
  for (const [method, path, body] of [
    ['GET', `/v1/conversations/${ofBoth}`, undefined],
    ['PUT', `/v1/conversations/${ofBoth}/read`, { upTo: id }],
  ] as const) {
    const answer = await eve.call(method, path, body)
    expect(answer.status).toBe(404)
    expect(['conversation-unknown', 'envelope-not-found']).toContain(answer.body.code)
  }
  // A choice of hers for a conversation of others is hers alone.
  await eve.call('PUT', `/v1/conversations/${ofBoth}`, { consent: 'denied' })
  expect((await bob.call('GET', '/v1/conversations')).body.conversations).toHaveLength(1)
})

it('reading takes an id or a cursor of the conversation, and nothing else', async () => {
  const { alice, bob, eve, send, ofBoth } = await setUp()
  const id = await send(alice, bob)
  const other = await send(eve, bob)
  const read = (upTo: string) => bob.call('PUT', `/v1/conversations/${ofBoth}/read`, { upTo })
  expect((await read(other)).body.code).toBe('envelope-not-found')
  expect((await read('nonsense')).body.code).toBe('cursor-invalid')
  const { body } = await bob.call('GET', '/v1/inbox')
  const ahead = body.next.replace(/\d+$/, '99')
  expect((await read(ahead)).body.code).toBe('cursor-expired')
  expect((await read(id)).body).toMatchObject({ unread: 0, readThrough: body.items[0].cursor })
  expect((await read(body.next)).body).toMatchObject({ unread: 0, readThrough: body.items[0].cursor })
})

it('what is wrong is refused with its code', async () => {
  const { bob } = await setUp()
  const codes = async (method: string, path: string, body?: unknown) =>
    (await bob.call(method, path, body)).body.code
  expect(await codes('GET', '/v1/inbox?before=0000000000000000.1')).toBe('request-invalid')
  expect(await codes('GET', '/v1/inbox?type=text')).toBe('request-invalid')
  expect(await codes('GET', '/v1/inbox?from=nobody')).toBe('account-malformed')
  expect(await codes('GET', '/v1/conversations?unread=perhaps')).toBe('request-invalid')
  expect(await codes('GET', '/v1/conversations/nobody')).toBe('account-malformed')
  expect(await codes('PUT', `/v1/conversations/${'0'.repeat(64)}`, { consent: 'maybe' })).toBe(
    'request-invalid',
  )
  expect(await codes('PUT', '/v1/inbox/settings', { unknownSenders: 'relay' })).toBe('request-invalid')
})

it('a change on one device is told on the stream of another, without moving its cursor', async () => {
  const { http, alice, bob, send, ofBoth } = await setUp()
  const response = await fetch(`${http.url}/v1/stream`, { headers: { authorization: `Bearer ${bob.token}` } })
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const reading = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
  })()
  await until(() => text.includes('event: ready'), 'the stream to be ready', 30_000)
  const id = await send(alice, bob)
  await bob.call('PUT', `/v1/conversations/${ofBoth}/read`, { upTo: id })
  await bob.call('PUT', `/v1/conversations/${ofBoth}`, { muted: true })
  await until(() => text.split('event: conversation').length === 3, 'two events', 30_000)
  await reader.cancel()
  await reading
  const events = text.split('\n\n').filter((event) => event.startsWith('event: conversation'))
  expect(events.map((event) => JSON.parse(event.slice(event.indexOf('{'))))).toMatchObject([
    { conversation: ofBoth, unread: 0, muted: false },
    { conversation: ofBoth, unread: 0, muted: true },
  ])
})
