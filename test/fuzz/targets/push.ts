/** Push: what anyone may write into a chat, and what the service answers, which need not be true. */
import { createHash } from 'node:crypto'
import { Wallet } from 'ethers'
import type { Account } from '../../../adapters/push/account.ts'
import { decodeText, encodeText } from '../../../adapters/push/carriage.ts'
import { createChain } from '../../../adapters/push/chain.ts'
import { canonicalDid, didOfAddress, isDid } from '../../../adapters/push/did.ts'
import { readPushContent } from '../../../adapters/push/enrolment/content.ts'
import { type Invitation, invitationOf } from '../../../adapters/push/enrolment/invitations.ts'
import { PushError } from '../../../adapters/push/errors.ts'
import { isSigned } from '../../../adapters/push/profiles.ts'
import { createReader } from '../../../adapters/push/reader.ts'
import type { RestClient } from '../../../adapters/push/rest.ts'
import type { Inbound, NativeContent } from '../../../src/adapter/index.ts'
import { readContent } from '../../../src/content/index.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { createPerson, testEnvelopes } from './people.ts'
import { quietLog, Refused } from './stand-ins.ts'

const wallet = new Wallet(`0x${'17'.repeat(32)}`)
const own = didOfAddress(wallet.address)
const peer = didOfAddress(`0x${'42'.repeat(20)}`)
/** The service gave so many pages for one input: the chain is followed without end. */
const MOST_PAGES = 300

async function frameText(): Promise<string> {
  const [alice, bob] = await Promise.all([createPerson('alice'), createPerson('bob')])
  const [small] = await testEnvelopes(alice, [bob])
  return encodeText(small!.bytes)
}

function message(position: number, content: string) {
  return {
    cid: `c${position}`,
    link: position === 0 ? null : `c${position - 1}`,
    fromDID: peer,
    toDID: own,
    fromCAIP10: peer,
    toCAIP10: own,
    messageType: 'Text',
    encType: 'pgp',
    messageObj: content,
    verificationProof: 'pgpv3:x',
    timestamp: 1_700_000_000_000 + position,
  }
}

/** The service: the page that begins with the message asked for; where there is none any other, in turn. */
function cannedRest(): RestClient & { load(pages: unknown[]): void; asked(): number } {
  let pages: unknown[] = []
  let asked = 0
  return {
    load(next) {
      pages = next
      asked = 0
    },
    asked: () => asked,
    call: () => Promise.reject(new PushError('unreachable', 'there is no network here')),
    async get(path, schema) {
      asked++
      const cid = decodeURIComponent(/conversationhash\/([^?]*)/.exec(path)?.[1] ?? '')
      const wanted = pages.find((page) => Array.isArray(page) && Object(page[0]).cid === cid)
      const parsed = schema.safeParse(wanted ?? pages[asked % Math.max(1, pages.length)])
      if (asked > MOST_PAGES || !parsed.success) throw new PushError('malformed-answer', 'not the protocol')
      return parsed.data
    },
    clockOffsetMs: () => null,
  }
}

/** The account, whose cipher is none: what stands in a message is what it says. */
const account: Account = {
  did: own,
  unlock: async () => undefined,
  isUnlocked: () => true,
  ended: () => new AbortController().signal,
  send: async () => 'c',
  accept: async () => undefined,
  open: async ({ messageObj }) => ({ object: { content: messageObj }, reason: null }),
  hasThread: () => true,
  lock: () => undefined,
}

const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

export const pushTargets = [
  defineTarget<string>({
    name: 'push-text',
    format: 'text',
    async open() {
      return {
        seeds: [await frameText(), 'causeway1:AA'],
        hostile: [
          'causeway1:',
          'causeway1:A',
          'causeway1:AB',
          'causeway1:AA=',
          'causeway1: AA',
          'Causeway1:AA',
        ],
        run(input) {
          const frame = decodeText(input)
          if (frame === null) throw new Refused('not-ours')
          return frame
        },
        typed: codeOfClass(Refused),
        forged: (input, frame) =>
          encodeText(frame as Uint8Array) === input ? null : 'two texts hold the same frame',
      }
    },
  }),
  defineTarget<string>({
    name: 'push-history',
    format: 'json-container',
    testInputs: 4_000,
    async open() {
      const text = await frameText()
      const { signal } = new AbortController()
      const rest = cannedRest()
      const chain = createChain(rest)
      const pages = [[message(2, text), message(1, 'hello')], [message(0, text)]]
      return {
        seeds: [
          JSON.stringify({ pages }),
          JSON.stringify({ pages: [[message(2, text)], [message(1, text)], [message(0, text)]] }),
        ],
        hostile: [
          JSON.stringify({ pages: [[{ ...message(2, text), link: 'c2' }]] }),
          JSON.stringify({
            pages: [[{ ...message(2, text), link: 'c1' }], [{ ...message(1, text), link: 'c2' }]],
          }),
        ],
        async run(input) {
          const { pages: given } = JSON.parse(input) as { pages?: unknown }
          rest.load(Array.isArray(given) ? given : [])
          const reader = createReader(account, quietLog)
          const found: Inbound[] = []
          for await (const item of chain.forwards('c2', () => false, signal)) {
            const inbound = await reader.read(item, 'history', signal)
            if (inbound) found.push(inbound)
          }
          return { found, asked: rest.asked() }
        },
        typed: (error) => (error instanceof PushError && rest.asked() <= MOST_PAGES ? error.code : null),
        forged(input, value) {
          const { found } = value as { found: Inbound[] }
          for (const { from, to, remoteId, remoteTime, frame } of found) {
            if (from === null || !isDid(from) || to === null || !isDid(to)) return 'an address is no DID'
            if (from !== own && to !== own) return 'a message of others was read'
            if (remoteId === '') return 'a message has no id'
            if (remoteTime !== null && !Number.isSafeInteger(remoteTime))
              return 'a time is no number of milliseconds'
            if (!input.includes(encodeText(frame).slice('causeway1:'.length)))
              return 'a frame stands in no message'
          }
          return null
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'push-native',
    format: 'json-container',
    testInputs: 4_000,
    async open() {
      const part = (messageType: string, content: string) => ({ messageType, messageObj: { content } })
      const file = '{"content":"data:image/png;base64,AAEC","name":"a.png","type":"image/png","size":3}'
      const messages = [
        { type: 'Text', object: { content: 'hello' } },
        { type: 'Image', object: { content: file } },
        { type: 'File', object: { content: '{"content":"https://example.org/a.pdf","name":"a.pdf"}' } },
        { type: 'Reply', object: { content: part('Text', 'yes'), reference: 'c1' } },
        { type: 'Reaction', object: { content: '👍', reference: 'c1' } },
        { type: 'Receipt', object: { content: 'READ_RECEIPT', reference: 'c1' } },
        { type: 'Composite', object: { content: [part('Text', 'a'), part('GIF', 'https://example.org/')] } },
        { type: 'Meta', object: { content: 'CREATE_GROUP', info: { affected: [peer] } } },
        { type: '', object: { eventType: 'request', chatId: 'c', from: peer, to: [own], timestamp: 1 } },
      ]
      return {
        seeds: messages.map((one) => JSON.stringify(one)),
        hostile: [
          '{"type":"__proto__","object":{"content":"x"}}',
          '{"type":"Reply","object":{"content":{"messageType":"Reply","messageObj":{"content":null}}}}',
          '{"type":"MediaEmbed","object":{"content":"https://"}}',
          '{"type":"Text","object":{"content":"\\ud800","reference":7}}',
          `{"type":"Meta","object":{"content":${nested(5_000)}}}`,
          `{"type":"Composite","object":{"content":${nested(50_000)}}}`,
        ],
        run(input) {
          const { type, object } = (JSON.parse(input) ?? {}) as { type?: unknown; object?: unknown }
          if (typeof type !== 'string' || typeof object !== 'object' || object === null) {
            throw new Refused('no-message')
          }
          const { content, reference } = readPushContent(type, object as Record<string, unknown>)
          return { content, reference, read: readContent(content), invitation: invitationOf(object, own) }
        },
        typed: codeOfClass(Refused),
        forged(_input, value) {
          const { content, invitation } = value as {
            content: NativeContent
            invitation: Invitation | null
          }
          if (!/^[a-z.]+\/[A-Za-z0-9-]+:1\.0$/.test(content.type)) return 'a type has no usual form'
          if (content.fallback !== null && !content.fallback.isWellFormed()) return 'a fallback is no text'
          return invitation && !isDid(invitation.invitedBy) ? 'an invitation of nobody' : null
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'push-profile',
    format: 'json-container',
    testInputs: 800,
    inputs: 20_000,
    async open() {
      const claim = {
        caip10: own,
        did: own,
        publicKey: '{"key":"k"}',
        encryptedPrivateKey: '{"version":"v"}',
      }
      const hash = createHash('sha256').update(JSON.stringify(claim)).digest('hex')
      const { caip10: wallets, ...rest } = claim
      const profile = { ...rest, wallets, verificationProof: `eip191v2:${await wallet.signMessage(hash)}` }
      return {
        seeds: [JSON.stringify(profile)],
        hostile: [
          JSON.stringify({ ...profile, publicKey: '{"key":"x"}' }),
          JSON.stringify({ ...profile, did: peer }),
        ],
        run(input) {
          const given = JSON.parse(input) as Parameters<typeof isSigned>[1]
          if (typeof given !== 'object' || given === null || typeof given.verificationProof !== 'string') {
            throw new Refused('no-profile')
          }
          if (!isSigned(own, given)) throw new Refused('unsigned')
          return given
        },
        typed: codeOfClass(Refused),
        forged(_input, value) {
          const { publicKey, encryptedPrivateKey, did } = value as typeof profile
          const same =
            publicKey === claim.publicKey && encryptedPrivateKey === claim.encryptedPrivateKey && did === own
          return same && canonicalDid(did) === own ? null : 'keys that the wallet never signed are taken'
        },
      }
    },
  }),
]
