/**
 * How a frame rides in a Tencent Chat message: one `TIMCustomElem` that holds the frame, and `CloudCustomData` that
 * names it. Pure functions, no I/O.
 */
import { z } from 'zod'
import { fromBase64url, H, toBase64url, toHex } from '../../src/envelope/index.ts'

/** Says that a custom element is ours, and how its Data is to be read. */
export const CARRIAGE_EXTENSION = 'causeway/1'

/** Shown by clients that do not know the carriage. */
export const CARRIAGE_DESCRIPTION = '[Encrypted message]'

/** The service refuses a message of more than 12 KB (error 80002). */
export const MAX_MESSAGE_BYTES = 12_000

/**
 * Largest frame in bytes. Base64url makes it 11,606 characters; element and CloudCustomData add under 300, which keeps the
 * message below 12 KB whether a kilobyte is read as 1,000 or 1,024 bytes.
 */
export const MAX_FRAME_BYTES = 8_704

/** One element of `MsgBody`. */
export interface CustomElement {
  MsgType: 'TIMCustomElem'
  MsgContent: { Data: string; Desc: string; Ext: string }
}

export interface CarriedMessage {
  MsgBody: [CustomElement]
  CloudCustomData: string
}

/** A frame found in a message, with what the message says of it. Hints until the frame's own signature is checked. */
export interface CarriedFrame {
  frame: Uint8Array
  /** Hexadecimal envelope id, if the message names one. */
  envelopeId: string | null
  /** Transaction id of the gateway that sent it; null for a client's message. */
  transactionId: string | null
}

/** Puts a frame into a message. `envelopeId` is 32 bytes, `transactionId` 32 lower-case hexadecimal characters. */
export function encodeMessage(
  frame: Uint8Array,
  envelopeId: Uint8Array,
  transactionId: string,
): CarriedMessage {
  return {
    MsgBody: [
      {
        MsgType: 'TIMCustomElem',
        MsgContent: { Data: toBase64url(frame), Desc: CARRIAGE_DESCRIPTION, Ext: CARRIAGE_EXTENSION },
      },
    ],
    CloudCustomData: JSON.stringify({ id: toHex(envelopeId), tx: transactionId }),
  }
}

const elementsSchema = z.tuple([
  z.looseObject({
    MsgType: z.literal('TIMCustomElem'),
    MsgContent: z.looseObject({
      Data: z.string().min(1).max(MAX_MESSAGE_BYTES),
      Ext: z.literal(CARRIAGE_EXTENSION),
    }),
  }),
])

const cloudDataSchema = z.looseObject({
  id: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  tx: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
})

/**
 * Reads the frame out of a message, or returns null when the message is not ours: other elements, another extension,
 * Data that is not canonical base64url. `CloudCustomData` only adds hints, so one that cannot be read is as good as none.
 */
export function decodeMessage(messageBody: unknown, cloudCustomData: unknown): CarriedFrame | null {
  const elements = elementsSchema.safeParse(messageBody)
  if (!elements.success) return null
  const frame = decodeData(elements.data[0].MsgContent.Data)
  if (!frame || frame.length > MAX_FRAME_BYTES) return null
  const hints = cloudDataSchema.safeParse(parseJson(cloudCustomData)).data
  return { frame, envelopeId: hints?.id ?? null, transactionId: hints?.tx ?? null }
}

/**
 * `MsgSeq` and `MsgRandom`, two 32-bit numbers that follow from the transaction id. The service drops a message whose
 * sender, MsgSeq, MsgRandom and content it saw in the last 120 s, so a retry with the same pair arrives once.
 */
export function messageNumbers(transactionId: string): { MsgSeq: number; MsgRandom: number } {
  const digest = H('causeway/trtc-message/1', transactionId)
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  return { MsgSeq: view.getUint32(0), MsgRandom: view.getUint32(4) }
}

function decodeData(data: string): Uint8Array | null {
  try {
    return fromBase64url(data)
  } catch {
    return null // somebody else's custom message that happens to use our extension
  }
}

function parseJson(text: unknown): unknown {
  if (typeof text !== 'string' || text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return null // an application's own CloudCustomData need not be JSON
  }
}
