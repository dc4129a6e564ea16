/** Notifications of channels, from the form of the service to the content of an inbox item. Pure functions. */
import { z } from 'zod'
import type { NativeInbound } from '../../../src/adapter/index.ts'
import { canonicalDid } from '../did.ts'

/** Content type of a notification: JSON in UTF-8 in the form of {@link Notification}. */
export const NOTIFICATION_TYPE = 'push.org/notification:1.0'

/** Members beside those of the content type serve who wants more than to show it; readers ignore what they do not know. */
export interface Notification {
  title: string
  body: string
  /** Where a tap leads; null where the channel named nothing. */
  url: string | null
  image: string | null
  /** Name of the channel. */
  application: string | null
  icon: string | null
  /** `eip155:0x<checksummed address>` where the channel is an account of Ethereum, else as the service has it. */
  channel: string
  /** The service's own id, `payload_id`. */
  id: string
  /** The service's time, Unix milliseconds. */
  sentAt: number | null
  /**
   * Set where the channel encrypted the notification to the wallet: title, body, url and image are then ciphertexts, and this
   * is the key to them, itself encrypted. The gateway opens none of it.
   */
  secret: string | null
}

/** A notification, and what is decided by it here. */
export interface FeedItem {
  notification: Notification
  /** The channel asked that it is shown nowhere. */
  hidden: boolean
}

const text = z.string().nullish()
const flag = z.union([z.string(), z.number(), z.boolean()]).nullish()

/** Tolerant: a field that channels leave out, or the service adds, must not lose a notification. */
const itemSchema = z.looseObject({
  payload_id: z.union([z.string().min(1).max(256), z.number()]),
  sender: z.string().min(1).max(256),
  epoch: z.union([z.string(), z.number()]).nullish(),
  payload: z.looseObject({
    notification: z.looseObject({ title: text, body: text }).nullish(),
    data: z
      .looseObject({
        app: text,
        icon: text,
        asub: text,
        amsg: text,
        acta: text,
        aimg: text,
        secret: text,
        hidden: flag,
      })
      .nullish(),
  }),
})

/** An item of a feed, or of the socket's `userFeeds`; null for what is none. */
export function readItem(input: unknown): FeedItem | null {
  const parsed = itemSchema.safeParse(input)
  if (!parsed.success) return null
  const { payload_id, sender, epoch, payload } = parsed.data
  const { notification, data } = payload
  const secret = data?.secret || null
  const link = (value: string | null | undefined) => (secret ? value || null : linkOf(value))
  return {
    hidden: data?.hidden === true || String(data?.hidden ?? '0') === '1',
    notification: {
      // What an application shows; the other pair is for the phone's own notification, shortened and with the channel's name.
      title: data?.asub || notification?.title || '',
      body: data?.amsg || notification?.body || '',
      url: link(data?.acta),
      image: link(data?.aimg),
      application: data?.app || null,
      icon: linkOf(data?.icon),
      channel: canonicalDid(sender) ?? sender,
      id: String(payload_id),
      sentAt: timeOf(epoch),
      secret,
    },
  }
}

/** A notification as a message of the wallet's from the channel. `now`, Unix milliseconds, where the service names no time. */
export function nativeOf(
  notification: Notification,
  of: { enrolment: string; via: NativeInbound['via']; now: number },
): NativeInbound {
  const { id, title, body, application, channel, sentAt, secret } = notification
  const { enrolment, via, now } = of
  // A channel is no wallet that one could write to, even where it has a wallet's address.
  const sender = { wallet: null, address: channel }
  return {
    enrolment,
    remoteId: `notification/${id}`,
    conversation: { remoteId: `channel/${channel}`, kind: 'direct', name: null, peer: sender },
    from: sender,
    own: false,
    remoteTime: sentAt ?? now,
    via,
    content: {
      type: NOTIFICATION_TYPE,
      parameters: {},
      fallback: secret
        ? `${application ?? 'A channel'} sent an encrypted notification`
        : [title, body].filter((line) => line !== '').join('\n'),
      bytes: new TextEncoder().encode(JSON.stringify(notification)),
    },
    reference: null,
    replaces: null,
    transactionId: null,
  }
}

/** Channels may write anything: only what a browser opens as a page or a picture comes through. */
function linkOf(value: string | null | undefined): string | null {
  const protocol = value ? URL.parse(value)?.protocol : undefined
  return value && (protocol === 'https:' || protocol === 'http:') ? value : null
}

/** The service writes seconds in one place and ISO 8601 in another. */
function timeOf(epoch: string | number | null | undefined): number | null {
  if (epoch === null || epoch === undefined || epoch === '') return null
  const seconds = Number(epoch)
  const time = Number.isNaN(seconds) ? Date.parse(String(epoch)) : seconds * 1000
  return Number.isFinite(time) && time >= 0 ? Math.floor(time) : null
}
