import fc from 'fast-check'
import { expect, it } from 'vitest'
import { PushError } from '../errors.ts'
import type { TextRestClient } from '../rest.ts'
import { createGate, createSource, elementsOf, toldOf } from './source.ts'

const own = 'eip155:0x52908400098527886E0F7030069857D2E4169EE7'
const peer = 'eip155:0x8617E340B3D01FA5F11F306F4090FD50E238070D'

it('gives the elements of any array as they stand, and nothing of what is no array', () => {
  fc.assert(
    fc.property(fc.array(fc.json()), fc.stringMatching(/^[ \t\n\r]{0,3}$/), (elements, space) => {
      const text = `${space}[${space}${elements.join(`${space},${space}`)}${space}]${space}`
      expect(elementsOf(text)).toEqual(elements.map((element) => element.trim()))
    }),
  )
  for (const text of ['', '{}', 'null', '[', '[1,]', '"[]"']) expect(elementsOf(text)).toBeNull()
})

it('knows the chat and the sender of a message', () => {
  const message = { cid: 'c2', link: 'c1', timestamp: '12', fromDID: peer, toDID: own.toLowerCase() }
  expect(toldOf(message, own)).toEqual({ cid: 'c2', link: 'c1', chat: peer, isOwn: false, at: 12 })
  expect(toldOf({ ...message, fromDID: own, toDID: peer }, own)).toMatchObject({ chat: peer, isOwn: true })
  expect(toldOf({ ...message, toDID: 'f00d' }, own)).toMatchObject({ chat: 'f00d', isOwn: false })
  expect(toldOf({ ...message, link: '', timestamp: 'never' }, own)).toMatchObject({ link: null, at: null })
  for (const none of [null, {}, { cid: '' }, { cid: 'c', link: 5 }, { cid: 'c' }]) {
    expect(toldOf(none, own)).toBeNull()
  }
})

it('lets a few through at once, and failures make room', async () => {
  const gate = createGate(2)
  let running = 0
  let most = 0
  const work = (fails: boolean) =>
    gate(async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 1))
      running--
      if (fails) throw new Error('failed')
    })
  const results = await Promise.allSettled(Array.from({ length: 9 }, (_, index) => work(index % 2 === 0)))
  expect(results.filter(({ status }) => status === 'rejected').length).toBe(5)
  expect(most).toBe(2)
})

it('asks for fewer messages when a page of them is too much for one answer', async () => {
  const limits: number[] = []
  const message = (at: number) => ({ cid: `c${at}`, link: `c${at - 1}`, fromDID: peer, toDID: own })
  const rest = {
    async text(path: string) {
      const limit = Number(/fetchLimit=(\d+)$/.exec(path)?.[1])
      limits.push(limit)
      if (limit > 1) throw new PushError('malformed-answer', 'too long')
      return JSON.stringify([message(9)])
    },
  } as unknown as TextRestClient
  const source = createSource(rest, own, createGate())
  expect((await source.page('c9', 30, new AbortController().signal)).map(({ cid }) => cid)).toEqual(['c9'])
  expect(limits).toEqual([30, 5, 1])
})
