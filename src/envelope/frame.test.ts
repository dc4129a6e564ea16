import { describe, expect, it } from 'vitest'
import { encodeCanonical } from './cbor.ts'
import {
  decodeFrame,
  encodeFrame,
  type Frame,
  frameForEnvelope,
  type Hop,
  opaqueIdentifier,
  withHop,
} from './frame.ts'
import { FLAGS } from './header.ts'
import { LIMITS } from './limits.ts'
import { codeOf, createPerson, sealText } from './testing/fixtures.ts'

const alice = await createPerson()
const bob = await createPerson()
const { id, bytes } = await sealText(alice, bob, 'hello')
const frame = frameForEnvelope(bytes, new Uint8Array(900))
const hop: Hop = { gateway: 'gateway-1', network: 'waku', at: 1_770_000_000_000 }
const opaque: Frame = {
  kind: 2,
  id: opaqueIdentifier('xmtp', 'abc'),
  bytes: Uint8Array.of(1, 2, 3),
  trace: [hop],
  mode: 'opaque',
  certificate: null,
}

function raw(change: Partial<Record<number, unknown>> = {}): Uint8Array {
  const values: unknown[] = [1, 1, id, bytes, [], 'sealed', null]
  for (const [index, value] of Object.entries(change)) values[Number(index)] = value
  return encodeCanonical(values)
}

describe('a frame', () => {
  it('round-trips, as an envelope and as an opaque parcel', () => {
    for (const each of [frame, withHop(frame, hop), { ...frame, certificate: null }, opaque]) {
      expect(decodeFrame(encodeFrame(each))).toEqual(each)
    }
    expect(encodeFrame({ ...frame, certificate: null })).toEqual(raw())
  })

  it('takes id and mode from the envelope', async () => {
    expect(frame).toMatchObject({ kind: 1, id, mode: 'sealed', trace: [] })
    const attested = await sealText(alice, bob, 'from a native message', { flags: FLAGS.hop })
    expect(frameForEnvelope(attested.bytes, null).mode).toBe('hop')
  })

  it('adds hops without touching the frame it came from, up to eight', async () => {
    let passed = frame
    for (let count = 0; count < LIMITS.hops; count++) passed = withHop(passed, hop)
    expect(passed.trace).toHaveLength(8)
    expect(frame.trace).toHaveLength(0)
    expect(await codeOf(() => withHop(passed, hop))).toBe('frame-hops-exceeded')
    const nine = Array.from({ length: 9 }, () => ['g', 'waku', 1])
    expect(await codeOf(() => decodeFrame(raw({ 4: nine })))).toBe('frame-hops-exceeded')
  })

  it.each([
    ['another version', { 0: 2 }, 'frame-version-unsupported'],
    ['another kind', { 1: 3 }, 'frame-kind-unsupported'],
    ['the id of another envelope', { 2: new Uint8Array(32) }, 'frame-id-mismatch'],
    ['a short id', { 2: new Uint8Array(31) }, 'frame-malformed'],
    ['content that is text', { 3: 'x' }, 'frame-malformed'],
    ['an envelope that does not decode', { 3: Uint8Array.of(0x80) }, 'envelope-malformed'],
    ['a trace that is null', { 4: null }, 'frame-malformed'],
    ['a hop that is text', { 4: ['g'] }, 'frame-malformed'],
    ['a hop without gateway', { 4: [['', 'waku', 1]] }, 'frame-malformed'],
    ['a hop with a control character', { 4: [['a\n', 'waku', 1]] }, 'frame-malformed'],
    ['a hop with an upper-case network', { 4: [['g', 'WAKU', 1]] }, 'frame-malformed'],
    ['a hop at a negative time', { 4: [['g', 'waku', -1]] }, 'frame-malformed'],
    ['mode opaque for an envelope', { 5: 'opaque' }, 'frame-malformed'],
    ['mode hop for an envelope without the flag', { 5: 'hop' }, 'frame-malformed'],
    ['mode sealed for an opaque parcel', { 1: 2 }, 'frame-malformed'],
    ['an unknown mode', { 5: 'x' }, 'frame-malformed'],
    ['a certificate that is text', { 6: 'x' }, 'frame-malformed'],
    ['a large certificate', { 6: new Uint8Array(LIMITS.certificateBytes + 1) }, 'frame-malformed'],
    ['an eighth element', { 7: null }, 'frame-malformed'],
  ])('is refused with %s', async (_, change, code) => {
    expect(await codeOf(() => decodeFrame(raw(change)))).toBe(code)
  })

  it('is refused when it is too large, not canonical, or no frame', async () => {
    expect(await codeOf(() => decodeFrame(raw(), { maxBytes: 100 }))).toBe('frame-too-large')
    expect(await codeOf(() => decodeFrame(Uint8Array.of(0x98, 7, ...raw().subarray(1))))).toBe(
      'frame-malformed',
    )
    expect(await codeOf(() => decodeFrame(encodeCanonical({})))).toBe('frame-malformed')
    expect(await codeOf(() => decodeFrame(new Uint8Array()))).toBe('frame-malformed')
  })

  it('is refused when writing as when reading', async () => {
    expect(await codeOf(() => encodeFrame({ ...frame, mode: 'hop' }))).toBe('frame-malformed')
    expect(await codeOf(() => encodeFrame({ ...frame, id: new Uint8Array(32) }))).toBe('frame-id-mismatch')
    expect(await codeOf(() => frameForEnvelope(bytes, new Uint8Array(LIMITS.certificateBytes + 1)))).toBe(
      'frame-malformed',
    )
  })
})

describe('opaque ids', () => {
  it('keep network and remote id apart', () => {
    expect(opaqueIdentifier('push', 'x')).not.toEqual(opaqueIdentifier('pus', 'hx'))
    expect(opaqueIdentifier('push', 'x')).toEqual(opaqueIdentifier('push', 'x'))
  })
})
