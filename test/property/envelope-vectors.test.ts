import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { renderEnvelopeReference } from '../../scripts/envelope-vectors.ts'
import {
  decodeCanonical,
  decodeContent,
  decodeFrame,
  decodeSealed,
  directConversation,
  fromHex,
  groupConversation,
  H,
  opaqueIdentifier,
  openSealed,
  toHex,
  verifySealed,
} from '../../src/envelope/index.ts'
import { codeOf } from '../../src/envelope/testing/fixtures.ts'
import { readEnvelope } from './independent-reader.ts'

interface EnvelopeVector {
  name: string
  header: Record<string, unknown>
  content: Record<string, unknown>
  recipients: { publicKey: string; privateKey: string; keyId: string }[]
  headerBytes: string
  contentBytes: string
  id: string
  sealed: string
  strippedToFirstRecipient?: string
  frame?: string
}

const page = readFileSync(new URL('../../docs/reference/envelope-v1.md', import.meta.url), 'utf8')
const vectors = JSON.parse(/```json\n([\s\S]*?)\n```/.exec(page)![1]!)
const envelopes = vectors.envelopes as EnvelopeVector[]

describe('docs/reference/envelope-v1.md', () => {
  it('holds the vectors that the code makes; run node scripts/envelope-vectors.ts when it does not', async () => {
    expect(await renderEnvelopeReference(page)).toBe(page)
  })

  it('has ids that the functions reproduce', () => {
    const { hash, conversations, opaqueId } = vectors
    expect(toHex(H(hash.tag, ...hash.parts))).toBe(hash.digest)
    const [first, second] = conversations.direct.wallets
    expect(toHex(directConversation(first, second))).toBe(conversations.direct.id)
    const { creator, nonce, id } = conversations.group
    expect(toHex(groupConversation(creator, fromHex(nonce)))).toBe(id)
    expect(toHex(opaqueIdentifier(opaqueId.network, opaqueId.remoteId))).toBe(opaqueId.id)
  })

  it.each(envelopes)('has an envelope ($name) that opens to its content', async (vector) => {
    const sealed = decodeSealed(fromHex(vector.sealed))
    expect(toHex(sealed.id)).toBe(vector.id)
    expect(asJson(sealed.header)).toEqual(vector.header)
    expect(await verifySealed(sealed)).toBe(true)
    for (const { keyId, privateKey } of vector.recipients) {
      const privateKeys = [{ keyId: fromHex(keyId), privateKey: fromHex(privateKey) }]
      expect(asJson(await openSealed(sealed, { privateKeys }))).toEqual(vector.content)
    }
    expect(asJson(decodeContent(fromHex(vector.contentBytes)))).toEqual(vector.content)
  })

  it.each(envelopes)(
    'has an envelope ($name) that a second reader, on node:crypto alone, verifies and opens',
    (vector) => {
      const keys = vector.recipients.map(({ publicKey, privateKey }) => ({
        publicKey: fromHex(publicKey),
        privateKey: fromHex(privateKey),
      }))
      for (const key of keys.length > 0 ? keys : [undefined]) {
        const read = readEnvelope(fromHex(vector.sealed), key)
        expect(toHex(read.id)).toBe(vector.id)
        expect(toHex(read.content)).toBe(vector.contentBytes)
        expect(asJson(read.header)).toEqual(Object.values(vector.header))
      }
      if (vector.strippedToFirstRecipient !== undefined) {
        const copy = fromHex(vector.strippedToFirstRecipient)
        expect(toHex(readEnvelope(copy, keys[0]).id)).toBe(vector.id)
        expect(decodeSealed(copy).wraps).toHaveLength(1)
      }
    },
  )

  it('has a frame that decodes to its envelope', () => {
    const vector = envelopes.find(({ frame }) => frame !== undefined)!
    expect(toHex(decodeFrame(fromHex(vector.frame!)).bytes)).toBe(vector.sealed)
  })

  it.each(vectors.refused as { cbor: string; code: string; reason: string }[])(
    'refuses $cbor: $reason',
    async ({ cbor, code }) => {
      expect(await codeOf(() => decodeCanonical(fromHex(cbor), { maxBytes: 100, maxDepth: 4 }))).toBe(code)
    },
  )
})

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, item) => (item instanceof Uint8Array ? toHex(item) : item)))
}
