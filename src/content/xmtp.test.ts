/** The same bytes as the codecs of XMTP's own library. */
import {
  encodeAttachment,
  encodeMarkdown,
  encodeMultiRemoteAttachment,
  encodeReaction,
  encodeReadReceipt,
  encodeRemoteAttachment,
  encodeText,
  encodeTransactionReference,
  encodeWalletSendCalls,
  type EncodedContent as Native,
} from '@xmtp/node-bindings'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type EncodedContent,
  REACTION_ACTIONS,
  REACTION_SCHEMAS,
  reactionV2,
  readContent,
  TYPES,
  writeContent,
} from './index.ts'
import {
  callsArbitrary,
  reactionArbitrary,
  remoteAttachmentArbitrary,
  transactionArbitrary,
} from './testing/arbitraries.ts'

/** Null is absent there. */
function native<T>(value: T): never {
  return JSON.parse(
    JSON.stringify(value, (_name, member: unknown) =>
      member instanceof Uint8Array ? { bytes: [...member] } : (member ?? undefined),
    ),
    (_name, member: unknown) =>
      typeof member === 'object' && member !== null && 'bytes' in member
        ? Uint8Array.from(member.bytes as number[])
        : member,
  ) as never
}

function ours({ type, parameters, fallback, content }: Native): EncodedContent {
  if (!type) throw new TypeError('no type')
  const { authorityId, typeId, versionMajor, versionMinor } = type
  return {
    type: `${authorityId}/${typeId}:${versionMajor}.${versionMinor}`,
    parameters,
    fallback: fallback ?? null,
    bytes: new Uint8Array(content),
  }
}

/** JSON of the library differs in the order of maps and in how it writes whole numbers. */
const readable = ({ bytes, ...rest }: EncodedContent) => ({
  ...rest,
  bytes: JSON.parse(new TextDecoder().decode(bytes)) as unknown,
})

describe('contents are what XMTP’s own library writes', () => {
  it('text, markdown and read receipts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (raw) => {
        const text = raw.toWellFormed()
        expect(writeContent({ kind: 'text', text })).toEqual(ours(encodeText(text)))
        expect(writeContent({ kind: 'markdown', text })).toEqual(ours(encodeMarkdown(text)))
      }),
    )
    expect(writeContent({ kind: 'readReceipt' })).toEqual(ours(encodeReadReceipt({})))
  })

  it('reactions of version 2', () => {
    fc.assert(
      fc.property(reactionArbitrary, (content) => {
        const theirs = ours(
          encodeReaction({
            reference: content.reference,
            referenceInboxId: content.referenceInboxId,
            content: content.content,
            action: REACTION_ACTIONS.indexOf(content.action) + 1,
            schema: REACTION_SCHEMAS.indexOf(content.schema) + 1,
          }),
        )
        expect({ type: TYPES.reactionV2, ...reactionV2.write(content) }).toEqual(theirs)
        expect(readContent(theirs)).toEqual(content)
      }),
    )
  })

  it('attachments, inside and remote, one and several', () => {
    const file = { filename: 'a.txt', mimeType: 'text/plain', content: Uint8Array.of(1, 2, 3) }
    for (const { content, ...rest } of [file, { ...file, filename: null }]) {
      const theirs = ours(encodeAttachment(native({ ...rest, content })))
      expect(writeContent({ kind: 'attachment', bytes: content, ...rest })).toEqual(theirs)
      expect(readContent(theirs)).toEqual({ kind: 'attachment', bytes: content, ...rest })
    }
    fc.assert(
      fc.property(fc.array(remoteAttachmentArbitrary, { minLength: 1, maxLength: 4 }), (attachments) => {
        const several = { kind: 'multiRemoteAttachment' as const, attachments }
        const theirs = ours(encodeMultiRemoteAttachment(native({ attachments })))
        expect(writeContent(several)).toEqual(theirs)
        expect(readContent(theirs)).toEqual(several)
        const one = { kind: 'remoteAttachment' as const, ...attachments[0]! }
        const theirOne = ours(encodeRemoteAttachment(native(attachments[0])))
        expect(writeContent(one)).toEqual(theirOne)
        expect(readContent(theirOne)).toEqual(one)
      }),
    )
  })

  it('transactions and requests for them', () => {
    fc.assert(
      fc.property(transactionArbitrary, (content) => {
        const theirs = ours(encodeTransactionReference(native(content)))
        expect(readable(writeContent(content))).toEqual(readable(theirs))
        expect(readContent(theirs)).toEqual(content)
      }),
    )
    fc.assert(
      fc.property(callsArbitrary, (content) => {
        const theirs = ours(encodeWalletSendCalls(native(content)))
        const { fallback: _theirText, ...theirRest } = readable(theirs)
        const { fallback: _ourText, ...ourRest } = readable(writeContent(content))
        expect(ourRest).toEqual(theirRest)
        expect(readContent(theirs)).toEqual(content)
      }),
    )
  })
})
