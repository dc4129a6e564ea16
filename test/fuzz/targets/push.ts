/** Push: what anyone may write into a chat, and what the service answers, which need not be true. */
import { createHash } from 'node:crypto'
import { Wallet } from 'ethers'
import type { Account } from '../../../adapters/push/account.ts'
import { decodeText, encodeText } from '../../../adapters/push/carriage.ts'
import { createChain } from '../../../adapters/push/chain.ts'
import { canonicalDid, didOfAddress, isDid } from '../../../adapters/push/did.ts'
import { PushError } from '../../../adapters/push/errors.ts'
import { isSigned } from '../../../adapters/push/profiles.ts'
import { createReader } from '../../../adapters/push/reader.ts'
import type { RestClient } from '../../../adapters/push/rest.ts'
import type { Inbound } from '../../../src/adapter/index.ts'
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
