/** Arbitrary contents of every kind. */
import * as fc from 'fast-check'
import {
  type Content,
  type EncodedContent,
  MEDIA,
  REACTION_ACTIONS,
  REACTION_SCHEMAS,
  writeContent,
} from '../index.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((value) => value.isWellFormed())
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const count = fc.nat(2 ** 31 - 1)
const texts = fc.array(text, { maxLength: 3 })
const constant = <const T>(value: T) => fc.constant(value)

export const remoteAttachmentArbitrary = fc.record({
  url: text,
  contentDigest: fc.stringMatching(/^[0-9a-f]{64}$/),
  secret: bytes(32),
  salt: bytes(32),
  nonce: bytes(12),
  scheme: fc.constantFrom('https', 'https://'),
  contentLength: optional(count),
  filename: optional(text),
})

export const reactionArbitrary = fc.record({
  kind: constant('reaction'),
  action: fc.constantFrom(...REACTION_ACTIONS),
  schema: fc.constantFrom(...REACTION_SCHEMAS),
  content: text,
  reference: text,
  referenceInboxId: text,
})

export const transactionArbitrary = fc.record({
  kind: constant('transactionReference'),
  namespace: optional(text),
  networkId: text,
  reference: text,
  metadata: optional(
    fc.record({
      transactionType: text,
      currency: text,
      amount: fc.integer({ min: 0, max: 1_000_000 }),
      decimals: fc.nat(18),
      fromAddress: text,
      toAddress: text,
    }),
  ),
})

const named = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), text, { maxKeys: 3 })

export const callsArbitrary = fc.record({
  kind: constant('walletSendCalls'),
  version: text,
  chainId: text,
  from: text,
  calls: fc.array(
    fc.record({
      to: optional(text),
      data: optional(text),
      value: optional(text),
      gas: optional(text),
      metadata: optional(named.map((members) => ({ description: 'd', transactionType: 't', ...members }))),
    }),
    { maxLength: 3 },
  ),
  capabilities: optional(named),
})

export const groupUpdatedArbitrary = fc.record({
  kind: constant('groupUpdated'),
  initiatedBy: text,
  added: texts,
  removed: texts,
  left: texts,
  fields: fc.array(fc.record({ name: text, before: optional(text), after: optional(text) }), {
    maxLength: 3,
  }),
  admins: fc.record({ added: texts, removed: texts }),
  superAdmins: fc.record({ added: texts, removed: texts }),
})

const simple: fc.Arbitrary<Content> = fc.oneof(
  fc.record({ kind: constant('text'), text }),
  fc.record({ kind: constant('markdown'), text }),
  reactionArbitrary,
  fc.record({ kind: constant('readReceipt') }),
  fc.record({
    kind: constant('attachment'),
    filename: optional(text),
    mimeType: text,
    bytes: fc.uint8Array({ maxLength: 64 }),
  }),
  remoteAttachmentArbitrary.map((one) => ({ kind: 'remoteAttachment' as const, ...one })),
  fc.record({
    kind: constant('multiRemoteAttachment'),
    attachments: fc.array(remoteAttachmentArbitrary, { maxLength: 3 }),
  }),
  fc.record({
    kind: constant('attachmentReference'),
    url: text,
    media: fc.constantFrom(...MEDIA),
    mimeType: optional(text),
    filename: optional(text),
    size: optional(count),
    width: optional(count),
    height: optional(count),
    duration: optional(count),
    thumbnail: optional(text),
  }),
  transactionArbitrary,
  callsArbitrary,
  groupUpdatedArbitrary,
  fc.record({ kind: constant('delete'), messageId: text }),
  fc.record({ kind: constant('typing'), state: fc.constantFrom('started' as const, 'stopped' as const) }),
  fc.record({
    kind: constant('location'),
    latitude: fc.integer({ min: -90, max: 90 }),
    longitude: fc.integer({ min: -180, max: 180 }),
    description: optional(text),
  }),
  fc.record({
    kind: constant('notification'),
    title: text,
    body: text,
    url: optional(text),
    image: optional(text),
    application: optional(text),
    icon: optional(text),
    channel: optional(text),
  }),
)

const inside: fc.Arbitrary<EncodedContent> = simple.map(writeContent)

/** Contents of every kind; those that hold others hold simple ones. */
export const contentArbitrary: fc.Arbitrary<Content> = fc.oneof(
  { arbitrary: simple, weight: 5 },
  fc.record({
    kind: constant('reply'),
    reference: text,
    referenceInboxId: optional(text),
    content: inside,
  }),
  fc.record({ kind: constant('edit'), messageId: text, content: inside }),
  fc.record({ kind: constant('composite'), parts: fc.array(inside, { minLength: 1, maxLength: 4 }) }),
)
