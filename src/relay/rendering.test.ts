import { expect, it } from 'vitest'
import { CONTENT_DROPPED, renderingDetail, renderingOf } from './rendering.ts'

const point = (detail: string | null, deliveryId = 1, name: 'dispatched' | 'remoteEcho' = 'dispatched') => ({
  name,
  deliveryId,
  detail,
})

it('tells how the last try of a delivery was rendered', () => {
  const delivery = { id: 1, reason: null }
  const journey = [
    point(renderingDetail('fallback')),
    point('attempts-exhausted'),
    point(renderingDetail('converted'), 2),
    point(renderingDetail('native')),
    point('rendered-dropped', 1, 'remoteEcho'),
  ]
  expect(renderingOf(delivery, journey)).toBe('native')
  expect(renderingOf({ id: 2, reason: null }, journey)).toBe('converted')
  expect(renderingOf({ id: 3, reason: null }, journey)).toBe(null)
  expect(renderingOf({ id: 1, reason: CONTENT_DROPPED }, [])).toBe('dropped')
  expect(renderingDetail(null)).toBe(null)
})
