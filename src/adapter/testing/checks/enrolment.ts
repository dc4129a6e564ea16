import assert from 'node:assert/strict'
import { CONTENT_KINDS } from '../../content-support.ts'
import type {
  EnrolmentFacet,
  EnrolmentRequest,
  NativeInbound,
  NativeIntent,
  NativeParty,
} from '../../enrolment.ts'
import { type Bench, type Check, GRACE_MS, neverAborted, type Opened } from '../bench.ts'
import { randomFrame, randomHex } from '../bytes.ts'
import type { EnrolmentProbe, TestWallet } from '../harness.ts'

const TEXT = 'xmtp.org/text:1.0'
const read = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const write = (text: string) => new TextEncoder().encode(text)

/** One enrolled wallet of the harness, Alice's, and what is needed to try it. */
interface Enrolled {
  opened: Opened
  facet: EnrolmentFacet
  probe: EnrolmentProbe
  request: EnrolmentRequest
  address: string
  secret: Uint8Array
}

function requestOf({ alice }: Bench, probe: EnrolmentProbe): EnrolmentRequest {
  return { id: randomHex(16), wallet: alice.wallet, account: probe.account(alice), secret: randomFrame(32) }
}

/** By the wallet, or by the address alone where the network names no wallets. */
function assertNames({ wallet, address }: TestWallet, party: NativeParty | null, who: string): void {
  assert.ok(party, `${who} is named`)
  if (party.wallet === null) assert.equal(party.address, address, `${who} is named by the address`)
  else assert.equal(party.wallet, wallet, `${who} is named by the wallet`)
}

/** Null where the adapter has no hop mode, or the harness cannot sign for its wallets. */
async function enrol(bench: Bench): Promise<Enrolled | null> {
  const probe = bench.harness.enrolment
  const opened = await bench.connect()
  const facet = opened.adapter.enrolment
  if (!probe || !facet) return null
  const request = requestOf(bench, probe)
  const { text } = await bench.settles(facet.begin(request, neverAborted()), 'begin')
  assert.ok(text.length > 0 && text.length <= 8_192, 'the text to sign has 1 to 8,192 characters')
  const signed = await probe.sign(bench.alice, text)
  const completion = { id: request.id, chainId: null, handover: null, ...signed }
  const result = await bench.settles(facet.complete(completion, neverAborted()), 'complete')
  assert.ok(result.address !== '', 'a completed enrolment has an address')
  return { opened, facet, probe, request, address: result.address, secret: result.secret ?? request.secret }
}

const enrolmentOf = ({ request, address, secret }: Enrolled) => {
  const { id, wallet, account } = request
  return { id, wallet, account, address, secret: Uint8Array.from(secret) }
}

function heard({ opened, request }: Enrolled, text: string): NativeInbound[] {
  return opened.context.natives
    .filter(({ inbound, taken }) => taken && inbound.enrolment === request.id)
    .map(({ inbound }) => inbound)
    .filter(({ content }) => content.type === TEXT && read(content.bytes) === text)
}

async function walked({ facet, request }: Enrolled, since: number): Promise<NativeInbound[]> {
  const found: NativeInbound[] = []
  for await (const inbound of facet.walk({ enrolment: request.id, since }, neverAborted()))
    found.push(inbound)
  return found
}

/** By stream or walk, whichever is first. */
function arrival(bench: Bench, enrolled: Enrolled, text: string, since: number): Promise<NativeInbound> {
  return bench.waitFor(
    async () => {
      const live = heard(enrolled, text)[0]
      if (live) return live
      const all = await walked(enrolled, since)
      return all.find(({ content }) => content.type === TEXT && read(content.bytes) === text)
    },
    { what: `the native message "${text}"`, intervalMs: 100 },
  )
}

function intent({ request }: Enrolled, to: TestWallet, text: string): NativeIntent {
  return {
    enrolment: request.id,
    transactionId: randomHex(16),
    envelopeId: randomFrame(32),
    to: { wallet: to.wallet },
    content: { type: TEXT, parameters: {}, fallback: null, bytes: write(text) },
    reference: null,
    replaces: null,
    silent: false,
    attempt: 1,
  }
}

const copies = async ({ probe }: Enrolled, who: TestWallet, text: string) =>
  (await probe.received(who)).filter((other) => other.text === text)

export const enrolmentChecks: Check[] = [
  {
    name: 'enrolment: the terms are said, and a wrong signature enrols nobody',
    async run(bench) {
      const { adapter } = await bench.connect()
      const [facet, probe] = [adapter.enrolment, bench.harness.enrolment]
      if (!facet || !probe) return
      const { meaning, handover } = facet.terms
      assert.ok(meaning.length > 0 && meaning.length <= 1_000, 'the meaning has 1 to 1,000 characters')
      const request = requestOf(bench, probe)
      const { text } = await bench.settles(facet.begin(request, neverAborted()), 'begin')
      const wrong = await probe.sign(bench.bob, text)
      const completion = { id: request.id, chainId: null, handover: null, ...wrong }
      const completing = facet.complete(completion, neverAborted())
      await bench.rejects(completing, ['permanent'], 'complete with the signature of another wallet')
      assert.ok(handover === 'none' || wrong.handover, 'the harness hands over what the terms ask for')
      const right = { ...completion, ...(await probe.sign(bench.alice, text)) }
      await bench.settles(
        facet.complete(right, neverAborted()),
        'complete with the right signature after that',
      )
    },
  },
  {
    name: 'enrolment: says of every kind of content what becomes of it, and has text',
    async run(bench) {
      const contents = bench.open().adapter.enrolment?.contents
      if (!contents) return
      const renderings = ['native', 'converted', 'fallback', 'dropped']
      for (const kind of CONTENT_KINDS) {
        assert.ok(renderings.includes(contents.kinds[kind]), `it is declared what becomes of ${kind}`)
      }
      assert.equal(contents.kinds.text, 'native', 'fallbacks are texts')
    },
  },
  {
    name: 'enrolment: what is not known is closed and cancelled without an error, and cannot send',
    async run(bench) {
      const { adapter } = await bench.connect()
      const facet = adapter.enrolment
      if (!facet) return
      const id = randomHex(16)
      await bench.settles(facet.close(id), 'close')
      await bench.settles(facet.cancel(id), 'cancel')
      const unknown = { request: { id } } as Enrolled
      const sending = facet.send(intent(unknown, bench.bob, 'nobody'), neverAborted())
      await bench.rejects(sending, ['retryable', 'permanent'], 'send of an enrolment that is not open')
    },
  },
  {
    name: 'enrolment: hears what is written to the wallet, with its sender, once by each of stream and walk',
    async run(bench) {
      const enrolled = await enrol(bench)
      if (!enrolled) return
      const since = Date.now() - 5_000
      const text = `heard ${randomHex(8)}`
      const remoteId = await enrolled.probe.write({ from: bench.bob, to: bench.alice }, text)
      const inbound = await arrival(bench, enrolled, text, since)
      assert.equal(inbound.remoteId, remoteId, 'the id is the network’s own')
      assert.equal(inbound.own, false, 'what another wallet wrote is not own')
      assertNames(bench.bob, inbound.from, 'the sender')
      assert.equal(inbound.conversation.kind, 'direct')
      assertNames(bench.bob, inbound.conversation.peer, 'the peer')
      const again = (await walked(enrolled, since)).filter((other) => other.remoteId === remoteId)
      assert.equal(again.length, 1, 'a walk yields the message once')
      assert.equal(again[0]!.via, 'history', 'what a walk yields is marked via history')
      assert.equal(
        again[0]!.conversation.remoteId,
        inbound.conversation.remoteId,
        'conversation ids are stable',
      )
    },
  },
  {
    name: 'enrolment: sends natively once for all retries, and its echo is known as own',
    async run(bench) {
      const enrolled = await enrol(bench)
      if (!enrolled) return
      const since = Date.now() - 5_000
      const text = `sent ${randomHex(8)}`
      const sending = intent(enrolled, bench.bob, text)
      const receipt = await bench.settles(enrolled.facet.send(sending, neverAborted()), 'send')
      await bench.waitFor(async () => (await copies(enrolled, bench.bob, text)).length > 0, {
        what: 'the message at the native client',
      })
      await bench.settles(
        enrolled.facet.send({ ...sending, attempt: 2 }, neverAborted()),
        'the same send again',
      )
      const found = await bench.settles(enrolled.facet.find(sending, neverAborted()), 'find')
      assert.ok(found && 'remoteIds' in found, 'find answers the receipt of what was sent')
      const ids = new Set([...found.remoteIds, ...('remoteIds' in receipt ? receipt.remoteIds : [])])
      const never = await enrolled.facet.find(intent(enrolled, bench.bob, text), neverAborted())
      assert.equal(never, null, 'find answers null for what was never sent')
      const echo = await arrival(bench, enrolled, text, since)
      assert.equal(echo.own, true, 'what the wallet sent is own')
      assert.ok(
        echo.transactionId === sending.transactionId || ids.has(echo.remoteId),
        'the echo is told by its transaction id or by an id of the receipt',
      )
      await enrolled.opened.context.clock.sleep(GRACE_MS)
      assert.equal((await copies(enrolled, bench.bob, text)).length, 1, 'a retry reaches the recipient once')
    },
  },
  {
    name: 'enrolment: closed it hears nothing, opened again it reads what it missed',
    async run(bench) {
      const enrolled = await enrol(bench)
      if (!enrolled) return
      const since = Date.now() - 5_000
      await bench.settles(enrolled.facet.close(enrolled.request.id), 'close')
      await bench.settles(enrolled.facet.close(enrolled.request.id), 'close again')
      const text = `missed ${randomHex(8)}`
      await enrolled.probe.write({ from: bench.bob, to: bench.alice }, text)
      await enrolled.opened.context.clock.sleep(GRACE_MS)
      assert.equal(heard(enrolled, text).length, 0, 'a closed enrolment delivers nothing')
      await bench.settles(enrolled.facet.open(enrolmentOf(enrolled), neverAborted()), 'open', 60_000)
      await bench.settles(enrolled.facet.open(enrolmentOf(enrolled), neverAborted()), 'open again', 60_000)
      await arrival(bench, enrolled, text, since)
    },
  },
  {
    name: 'enrolment: revoked it hears and sends nothing more',
    async run(bench) {
      const enrolled = await enrol(bench)
      if (!enrolled) return
      const { remote } = await bench.settles(
        enrolled.facet.revoke(enrolmentOf(enrolled), neverAborted()),
        'revoke',
        60_000,
      )
      assert.ok(['done', 'pending', 'none'].includes(remote), 'revoke tells what the network did')
      const text = `too late ${randomHex(8)}`
      await enrolled.probe.write({ from: bench.bob, to: bench.alice }, text)
      const sending = enrolled.facet.send(intent(enrolled, bench.bob, text), neverAborted())
      await bench.rejects(sending, ['retryable', 'permanent'], 'send of a revoked enrolment')
      await enrolled.opened.context.clock.sleep(GRACE_MS)
      assert.equal(heard(enrolled, text).length, 0, 'a revoked enrolment delivers nothing')
    },
  },
]
