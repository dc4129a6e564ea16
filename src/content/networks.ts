/**
 * The one table of conversions: what contents become at the own clients of each network, and what its messages become here.
 * Adapters declare it, the gateway goes by it, docs/reference/content.md shows it.
 */
import type { ContentKind, ContentSupport, Rendering } from '../adapter/content-support.ts'

type Cell = readonly [rendering: Rendering, as: string]

/** What one sort of a network's messages becomes here. */
export interface Arrival {
  /** The network's own name of it. */
  native: string
  rendering: Rendering
  /** Content type, or what becomes of it. */
  as: string
}

export interface NetworkContents extends ContentSupport {
  /** Shown to people. */
  title: string
  /** What each kind becomes. */
  as: Readonly<Record<ContentKind, string>>
  arrivals: readonly Arrival[]
}

function contents(
  title: string,
  cells: Readonly<Record<ContentKind, Cell>>,
  rest: Pick<NetworkContents, 'reactions' | 'receiptsNameMessage'>,
  arrivals: readonly (readonly [native: string, ...Cell])[],
): NetworkContents {
  const entries = Object.entries(cells) as [ContentKind, Cell][]
  return {
    title,
    ...rest,
    kinds: Object.fromEntries(
      entries.map(([kind, [rendering]]) => [kind, rendering]),
    ) as NetworkContents['kinds'],
    as: Object.fromEntries(entries.map(([kind, [, as]]) => [kind, as])) as NetworkContents['as'],
    arrivals: arrivals.map(([native, rendering, as]) => ({ native, rendering, as })),
  }
}

const TEXT_INSTEAD: Cell = ['fallback', 'text']
const NOTHING: Cell = ['dropped', '']

export const xmtpContents = contents(
  'XMTP',
  {
    text: ['native', 'text'],
    markdown: ['native', 'markdown'],
    reply: ['native', 'reply'],
    reaction: ['native', 'reaction 2.0'],
    readReceipt: ['native', 'readReceipt'],
    edit: ['fallback', 'reply that says “Edited: …”'],
    delete: ['fallback', 'reply that says so'],
    typing: NOTHING,
    attachment: ['native', 'attachment'],
    remoteAttachment: ['native', 'remoteStaticAttachment'],
    multiRemoteAttachment: ['native', 'multiRemoteStaticAttachment'],
    attachmentReference: ['fallback', 'text with the URL'],
    composite: ['converted', 'one message for each part'],
    location: TEXT_INSTEAD,
    notification: TEXT_INSTEAD,
    transactionReference: ['native', 'transactionReference'],
    walletSendCalls: ['native', 'walletSendCalls'],
    groupUpdated: NOTHING,
    other: ['native', 'the same type and bytes'],
  },
  { reactions: 'any', receiptsNameMessage: false },
  [
    ['text', 'native', 'text'],
    ['markdown', 'native', 'markdown'],
    ['reply', 'native', 'what it holds, with `inReplyTo`'],
    ['reaction 1.0, 2.0', 'native', 'reaction 1.0'],
    ['readReceipt', 'native', 'readReceipt'],
    ['attachment', 'native', 'attachment'],
    ['remoteStaticAttachment', 'native', 'remoteStaticAttachment'],
    ['multiRemoteStaticAttachment', 'native', 'multiRemoteStaticAttachment'],
    ['transactionReference', 'native', 'transactionReference'],
    ['walletSendCalls', 'native', 'walletSendCalls'],
    ['group_updated', 'converted', 'causeway/group-updated:1.0'],
    ['any other', 'fallback', 'its type with its fallback text'],
  ],
)

export const pushContents = contents(
  'Push',
  {
    text: ['native', 'Text'],
    markdown: ['converted', 'Text'],
    reply: ['native', 'Reply'],
    reaction: ['native', 'Reaction, nine emoji'],
    readReceipt: ['native', 'Receipt'],
    edit: ['fallback', 'Reply that says “Edited: …”'],
    delete: ['fallback', 'Reply that says so'],
    typing: NOTHING,
    attachment: ['native', 'Image, File'],
    remoteAttachment: ['fallback', 'Text'],
    multiRemoteAttachment: ['fallback', 'Text'],
    attachmentReference: ['converted', 'MediaEmbed, File'],
    composite: ['fallback', 'Text with a line for each part'],
    location: ['fallback', 'Text'],
    notification: ['fallback', 'Text'],
    transactionReference: ['fallback', 'Text'],
    walletSendCalls: ['fallback', 'Text'],
    groupUpdated: NOTHING,
    other: ['fallback', 'Text; without a fallback, dropped'],
  },
  { reactions: ['👍', '👎', '❤️', '👏', '😂', '😢', '😡', '😲', '🔥'], receiptsNameMessage: true },
  [
    ['Text', 'native', 'text'],
    ['Image, Video, Audio, File, GIF with a data: URL', 'native', 'attachment'],
    ['Image, Video, Audio, File, MediaEmbed, GIF with another URL', 'converted', 'attachment-reference'],
    ['Reply', 'native', 'what it holds, with `inReplyTo`'],
    ['Reaction', 'native', 'reaction 1.0'],
    ['Receipt', 'native', 'readReceipt'],
    ['Composite', 'converted', 'composite'],
    ['Intent', 'fallback', 'push.org/intent:1.0'],
    ['Payment', 'fallback', 'push.org/payment:1.0'],
    ['Meta', 'fallback', 'push.org/meta:1.0'],
    ['UserActivity', 'fallback', 'push.org/userActivity:1.0'],
    ['notification of a channel', 'native', 'push.org/notification:1.0'],
  ],
)

export const trtcContents = contents(
  'Tencent RTC Chat',
  {
    text: ['native', 'TIMTextElem'],
    markdown: ['converted', 'TIMTextElem'],
    reply: ['native', 'its element, with `messageReply` in CloudCustomData'],
    reaction: ['fallback', 'TIMTextElem that answers the message'],
    readReceipt: ['native', 'the conversation is set read (one-to-one)'],
    edit: ['native', 'the message is modified'],
    delete: ['native', 'the message is recalled'],
    typing: ['native', 'TIMCustomElem `user_typing_status`, online only'],
    attachment: ['fallback', 'TIMTextElem'],
    remoteAttachment: ['fallback', 'TIMTextElem'],
    multiRemoteAttachment: ['fallback', 'TIMTextElem'],
    attachmentReference: ['native', 'TIMImageElem, TIMVideoFileElem, TIMSoundElem, TIMFileElem'],
    composite: ['converted', 'one message for each part'],
    location: ['native', 'TIMLocationElem'],
    notification: ['fallback', 'TIMTextElem'],
    transactionReference: ['fallback', 'TIMTextElem'],
    walletSendCalls: ['fallback', 'TIMTextElem'],
    groupUpdated: NOTHING,
    other: ['converted', 'TIMCustomElem'],
  },
  { reactions: 'any', receiptsNameMessage: false },
  [
    ['TIMTextElem', 'native', 'text'],
    ['TIMImageElem', 'native', 'attachment-reference (image)'],
    ['TIMVideoFileElem', 'native', 'attachment-reference (video)'],
    ['TIMSoundElem', 'native', 'attachment-reference (audio)'],
    ['TIMFileElem', 'native', 'attachment-reference (file)'],
    ['TIMLocationElem', 'native', 'location'],
    ['TIMFaceElem', 'converted', 'text `[face]`'],
    ['TIMCustomElem', 'converted', 'tencent.com/custom:1.0'],
    ['TIMCustomElem `user_typing_status`', 'dropped', ''],
    ['TIMCustomElem `causeway/1`', 'dropped', 'a frame: taken as such'],
    ['several elements', 'converted', 'composite'],
    ['any other element', 'fallback', 'tencent.com/<element>:1.0'],
    ['modified message', 'dropped', 'no webhook tells of it'],
    ['recalled message', 'native', 'deleteMessage, with `replaces`'],
    ['messageReply in CloudCustomData', 'native', '`inReplyTo`'],
  ],
)

/** By network, in the order in which they are shown. */
export const NETWORK_CONTENTS: Readonly<Record<string, NetworkContents>> = {
  xmtp: xmtpContents,
  push: pushContents,
  trtc: trtcContents,
}
