import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOTIFICATION_TYPE, type Notification, nativeOf, readItem } from './content.ts'

const CHANNEL = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045'

function item(change: Record<string, unknown> = {}, data: Record<string, unknown> = {}) {
  return {
    payload_id: 17,
    sender: `eip155:1:${CHANNEL}`,
    epoch: '1700000000',
    source: 'ETH_MAINNET',
    payload: {
      notification: { title: 'Name - short title', body: 'short body' },
      data: {
        app: 'Name',
        sid: '17',
        url: 'https://name.example',
        icon: 'https://name.example/i.png',
        ...data,
      },
      recipients: 'eip155:1:0x…',
      verificationProof: 'pgpv4:…',
    },
    ...change,
  }
}

const read = (input: unknown): Notification | undefined => readItem(input)?.notification

describe('a notification', () => {
  it('is read with what an application shows, and a channel of any chain is one channel', () => {
    const data = {
      asub: 'title',
      amsg: 'body',
      acta: 'https://name.example/go',
      aimg: 'https://name.example/p.png',
    }
    expect(readItem(item({}, data))).toEqual({
      hidden: false,
      notification: {
        title: 'title',
        body: 'body',
        url: 'https://name.example/go',
        image: 'https://name.example/p.png',
        application: 'Name',
        icon: 'https://name.example/i.png',
        channel: `eip155:${CHANNEL}`,
        id: '17',
        sentAt: 1_700_000_000_000,
        secret: null,
      },
    })
    expect(read(item({ sender: `eip155:137:${CHANNEL.toLowerCase()}` }))?.channel).toBe(`eip155:${CHANNEL}`)
  })

  it('falls back to the pair of the phone, and to no time', () => {
    expect(read(item({ epoch: null }))).toMatchObject({
      title: 'Name - short title',
      body: 'short body',
      sentAt: null,
    })
    expect(read(item({ epoch: '2023-11-14T22:13:20.000Z' }))?.sentAt).toBe(1_700_000_000_000)
  })

  it('brings no link that runs something', () => {
    const data = {
      acta: 'javascript:alert(1)',
      aimg: 'data:image/svg+xml,<svg/>',
      icon: 'file:///etc/passwd',
    }
    expect(read(item({}, data))).toMatchObject({ url: null, image: null, icon: null })
  })

  it('is carried as it is where it is encrypted, and says so', () => {
    const data = {
      asub: 'U2FsdGVkX1',
      amsg: 'U2FsdGVkX2',
      acta: 'U2FsdGVkX3',
      secret: '-----BEGIN PGP MESSAGE-----',
    }
    const notification = read(item({}, data))!
    expect(notification).toMatchObject({
      title: 'U2FsdGVkX1',
      body: 'U2FsdGVkX2',
      url: 'U2FsdGVkX3',
      secret: '-----BEGIN PGP MESSAGE-----',
    })
    const { content } = nativeOf(notification, { enrolment: 'e', via: 'stream', now: 5 })
    expect(content.fallback).toBe('Name sent an encrypted notification')
  })

  it('is a message of the channel, which is nobody’s wallet', () => {
    const native = nativeOf(read(item({ epoch: undefined }))!, { enrolment: 'e', via: 'history', now: 5 })
    expect(native).toMatchObject({
      enrolment: 'e',
      remoteId: 'notification/17',
      from: { wallet: null, address: `eip155:${CHANNEL}` },
      own: false,
      remoteTime: 5,
      content: { type: NOTIFICATION_TYPE, fallback: 'Name - short title\nshort body' },
    })
    expect(JSON.parse(new TextDecoder().decode(native.content.bytes))).toMatchObject({
      id: '17',
      secret: null,
    })
  })

  it('is told apart from what is none, whatever comes', () => {
    expect(readItem(item({ payload: null }))).toBeNull()
    expect(readItem(item({ sender: '' }))).toBeNull()
    expect(readItem(item({}, { hidden: '1' }))?.hidden).toBe(true)
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        readItem(anything)
        const sentAt = read(item({ epoch: anything }))?.sentAt ?? null
        expect(sentAt === null || Number.isSafeInteger(sentAt) || sentAt >= 0).toBe(true)
        return true
      }),
    )
  })
})
