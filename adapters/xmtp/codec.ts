/**
 * The content type `causeway/envelope:1.0`: one frame in one XMTP message. For gateways and for every XMTP application that
 * wants to show or to write envelopes: add {@link envelopeCodec} to the `codecs` of `@xmtp/node-sdk` or `@xmtp/browser-sdk`.
 * Imports nothing, and runs in browsers.
 *
 * @example
 * import { contentTypeEnvelope, envelopeCodec } from 'causeway/xmtp'
 *
 * const client = await Client.create(signer, { codecs: [envelopeCodec] })
 * const dm = await client.conversations.createDm(gatewayInboxId) // `GET /v1/networks` names it
 * await dm.send(envelopeCodec.encode({ frame }), { shouldPush: true })
 */

/** XMTP's ContentTypeId, as the SDKs declare it. */
export interface EnvelopeContentType {
  authorityId: string
  typeId: string
  versionMajor: number
  versionMinor: number
}

/** XMTP's EncodedContent, as the SDKs declare it. */
export interface EncodedEnvelope {
  type?: EnvelopeContentType
  parameters: Record<string, string>
  fallback?: string
  content: Uint8Array
}

export interface EnvelopeContent {
  /** Encoded frame: an envelope, or an opaque parcel, with its hop trace. */
  frame: Uint8Array
  /** Set by gateways alone: 32 lower-case hex characters by which one knows its own message again. */
  transactionId?: string | undefined
  /** No notification. Decides `shouldPush`; it is not carried. */
  silent?: boolean | undefined
}

export const contentTypeEnvelope: EnvelopeContentType = {
  authorityId: 'causeway',
  typeId: 'envelope',
  versionMajor: 1,
  versionMinor: 0,
}

/** What applications show that do not know the content type. Says nothing of sender or content. */
export const ENVELOPE_FALLBACK = '[Encrypted message]'

/** The one parameter. Two would make the encoding, and with it the message id, depend on their order. */
const TRANSACTION = 'tx'

/** A codec in the form of `ContentCodec` of `@xmtp/content-type-primitives`. */
export const envelopeCodec = {
  contentType: contentTypeEnvelope,
  encode({ frame, transactionId }: EnvelopeContent): EncodedEnvelope {
    return {
      type: { ...contentTypeEnvelope },
      parameters: transactionId === undefined ? {} : { [TRANSACTION]: transactionId },
      fallback: ENVELOPE_FALLBACK,
      content: frame,
    }
  },
  /** Never throws: whether the bytes are a frame is for whoever opens them to find out. */
  decode({ content, parameters }: EncodedEnvelope): EnvelopeContent {
    const transactionId = parameters[TRANSACTION]
    return { frame: content, ...(transactionId === undefined ? {} : { transactionId }) }
  },
  fallback: (): string | undefined => ENVELOPE_FALLBACK,
  /** The SDKs declare the argument unknown. */
  shouldPush: (content: unknown): boolean => (content as EnvelopeContent).silent !== true,
}

/** Whether a message has this content type, in this or a later minor version. */
export function isEnvelope(type: EnvelopeContentType | undefined): boolean {
  return (
    type?.authorityId === contentTypeEnvelope.authorityId &&
    type.typeId === contentTypeEnvelope.typeId &&
    type.versionMajor === contentTypeEnvelope.versionMajor
  )
}
