/** Channels, subscriptions and notifications. A channel is made on first use: on the real service it is made on chain. SANDBOX. */
import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { addressOfDid } from '../../did.ts'
import { isChannelProof, parseJson } from '../proofs.ts'
import { bodyOf, page, Refusal, requireDid, requirePgpProof, type Service } from '../service.ts'

/** Sepolia, the chain of the SDK's environments other than `prod`. */
const CHAIN = 'eip155:11155111'

const subscription = z.looseObject({ message: z.string(), verificationProof: z.string() })
const subscriber = z.union([
  z.looseObject({ subscriber: z.string() }).transform((value) => value.subscriber),
  z.looseObject({ unsubscriber: z.string() }).transform((value) => value.unsubscriber),
])
const payload = z.looseObject({
  sender: z.string(),
  recipient: z.unknown(),
  identity: z.string().startsWith('2+'),
  source: z.string(),
  verificationProof: z.string(),
})
const directPayload = z.looseObject({
  notification: z.looseObject({}),
  data: z.looseObject({ type: z.coerce.string() }),
  recipients: z.unknown(),
})

export function mountChannels(app: Hono, service: Service): void {
  const { state, events } = service
  const addressOf = (caip: string) => addressOfDid(requireDid(decodeURIComponent(caip)))
  const parameter = (context: Context, name: string) => addressOf(context.req.param(name) ?? '')
  const subscribersOf = (channel: string) => state.subscribers.get(channel) ?? []

  function channelOf(address: string) {
    const existing = state.channels.get(address)
    if (existing) return existing
    const channel = {
      id: state.channels.size + 1,
      channel: `${CHAIN}:${address}`,
      name: `channel ${address.slice(0, 6)}`,
      info: 'sandbox',
      url: 'https://example.invalid',
      icon: '',
      processed: 1,
      attempts: 0,
      verified_status: 0,
      channel_settings: null,
      subscriber_count: 0,
      blocked: 0,
    }
    state.channels.set(address, channel)
    return channel
  }

  app.get('/v1/channels/:caip', (context) => {
    const address = parameter(context, 'caip')
    return context.json({ ...channelOf(address), subscriber_count: subscribersOf(address).length })
  })
  app.get('/v1/channels/:caip/delegates', (context) => context.json({ delegates: [] }))
  app.get('/v1/channels/:caip/subscribers', (context) => {
    const subscribers = subscribersOf(parameter(context, 'caip'))
    return context.json({ itemcount: subscribers.length, subscribers })
  })
  app.post('/channels/_get_subscribers', async (context) => {
    const { channel } = await bodyOf(context, z.looseObject({ channel: z.string() }))
    return context.json({ subscribers: subscribersOf(addressOf(channel)) })
  })

  const subscribe = (on: boolean) => async (context: Context) => {
    const body = await bodyOf(context, subscription)
    const who = subscriber.safeParse(parseJson(body.message))
    if (!who.success) throw new Refusal(400, 'the message names no subscriber')
    const address = addressOf(who.data)
    await requirePgpProof(service, {
      did: requireDid(address),
      types: ['pgpv4'],
      value: body.verificationProof,
      body: { data: body.message },
    })
    const channel = parameter(context, 'caip')
    channelOf(channel)
    const others = subscribersOf(channel).filter((other) => other !== address)
    state.subscribers.set(channel, on ? [...others, address] : others)
    return context.body(null, 204)
  }
  app.post('/v1/channels/:caip/subscribe', subscribe(true))
  app.post('/v1/channels/:caip/unsubscribe', subscribe(false))

  app.post('/v1/payloads/', async (context) => {
    const body = await bodyOf(context, payload)
    const sender = addressOf(body.sender)
    // With the channel's own key, or with the PGP key of its profile.
    if (body.verificationProof.startsWith('eip712v2:')) requireChannelProof(body)
    else {
      await requirePgpProof(service, {
        did: requireDid(sender),
        types: ['pgpv4'],
        value: body.verificationProof,
        body: { data: body.identity },
      })
    }
    const parsed = directPayload.safeParse(parseJson(body.identity.slice(2)))
    if (!parsed.success) throw new Refusal(400, 'only direct payloads are taken')
    const { notification, data, recipients } = parsed.data
    const channel = channelOf(sender)
    const epoch = String(Math.floor(service.now() / 1000))
    for (const to of targets(data.type, sender, body.recipient, recipients)) {
      const spam = !subscribersOf(sender).includes(to)
      const id = state.feeds.size + 1
      const item = {
        payload_id: id,
        sender,
        channel: sender,
        epoch,
        source: body.source,
        payload: {
          notification,
          data: {
            ...data,
            app: channel.name,
            sid: String(id),
            url: channel.url,
            icon: channel.icon,
            epoch,
            appbot: '0',
            secret: '',
          },
          recipients,
          verificationProof: body.verificationProof,
        },
      }
      state.feeds.set(String(id), { to, channel: sender, spam, item })
      events.notification(to, spam, item)
    }
    return context.body(null, 204)
  })

  function requireChannelProof(body: z.output<typeof payload>): void {
    if (!service.strict || isChannelProof(body.verificationProof, body)) return
    throw new Refusal(403, 'invalid verificationProof')
  }

  /** 1: everyone who subscribed, 3: one, 4: several. */
  function targets(type: string, sender: string, recipient: unknown, recipients: unknown): string[] {
    if (type === '1') return subscribersOf(sender)
    if (type === '3') return [addressOf(String(recipient))]
    return Object.keys(Object(recipients)).map(addressOf)
  }

  function feedOf(fits: { to?: string; channel?: string; spam?: boolean }) {
    return [...state.feeds.values()]
      .filter(
        ({ to, channel, spam }) =>
          (fits.to ?? to) === to && (fits.channel ?? channel) === channel && (fits.spam ?? spam) === spam,
      )
      .map(({ item }) => item)
      .reverse()
  }
  app.get('/v1/users/:caip/feeds', (context) => {
    const items = feedOf({ to: parameter(context, 'caip'), spam: context.req.query('spam') === 'true' })
    return context.json({ feeds: page(context, items), itemcount: items.length })
  })
  app.get('/v1/users/:caip/channels/:channel/feeds', (context) => {
    const items = feedOf({
      to: parameter(context, 'caip'),
      channel: parameter(context, 'channel'),
      spam: context.req.query('spam') === 'true',
    })
    return context.json({ feeds: page(context, items), itemcount: items.length })
  })
  app.get('/v2/channels/:caip/notifications', (context) => {
    const items = feedOf({ channel: parameter(context, 'caip') })
    return context.json({ feeds: page(context, items), itemcount: items.length })
  })
  app.get('/v1/users/:caip/subscriptions', (context) => {
    const address = parameter(context, 'caip')
    const only = context.req.query('channel')
    const channels = [...state.channels.values()].filter(
      ({ channel }) =>
        subscribersOf(addressOf(channel)).includes(address) &&
        (!only || addressOf(channel) === addressOf(only)),
    )
    return context.json({
      subscriptions: channels.map(({ channel }) => ({ channel: addressOf(channel), user_settings: null })),
    })
  })
  app.get('/v1/users/:caip/delegations', (context) => context.json({ delegations: [] }))
}
