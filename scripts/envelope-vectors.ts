/**
 * Test vectors of the envelope, written between the markers of docs/reference/envelope-v1.md.
 * `node scripts/envelope-vectors.ts` writes the file anew; a test fails while it is not fresh.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import {
  decodeSealed,
  directConversation,
  type EnvelopeHeader,
  encodeContent,
  encodeFrame,
  frameForEnvelope,
  groupConversation,
  H,
  type InnerContent,
  keyIdentifier,
  opaqueIdentifier,
  SUITE,
  sealEnvelope,
  signedBytes,
  signerFromDeviceKey,
  stripWraps,
  toHex,
  utf8Encode,
  withHop,
} from '../src/envelope/index.ts'
import { requireKeyWrapSuite } from '../src/envelope/suites.ts'

const REFERENCE = new URL('../docs/reference/envelope-v1.md', import.meta.url)
const MARKERS = { begin: '<!-- vectors:begin -->', end: '<!-- vectors:end -->' }

const ALICE = 'eip155:*:0xa11ce00000000000000000000000000000000001'
const BOB = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'

/** Bytes that are the same on every run, different for every label. Lengths up to 64. */
function fixed(label: string, length: number): Uint8Array {
  const long = new Uint8Array(64)
  long.set(H('causeway/test-vector/1', label, '0'))
  long.set(H('causeway/test-vector/1', label, '1'), 32)
  return long.slice(0, length)
}

/** The vectors as a value that JSON can hold; byte strings are lower-case hexadecimal. */
export async function envelopeVectors(): Promise<unknown> {
  const deviceSeed = fixed('device', 32)
  return {
    hash: { tag: 'causeway/test/1', parts: ['a', 'bc'], digest: toHex(H('causeway/test/1', 'a', 'bc')) },
    conversations: {
      direct: { wallets: [BOB, ALICE], id: toHex(directConversation(BOB, ALICE)) },
      group: {
        creator: ALICE,
        nonce: toHex(fixed('group', 16)),
        id: toHex(groupConversation(ALICE, fixed('group', 16))),
      },
    },
    opaqueId: { network: 'xmtp', remoteId: 'abc123', id: toHex(opaqueIdentifier('xmtp', 'abc123')) },
    device: { privateKey: toHex(deviceSeed), publicKey: toHex(ed25519.getPublicKey(deviceSeed)) },
    envelopes: [
      await envelopeVector('not encrypted', SUITE.none, deviceSeed, []),
      await envelopeVector('X25519, two wraps', SUITE.x25519, deviceSeed, ['bob', 'alice']),
      await envelopeVector('X-Wing, one wrap', SUITE.xwing, deviceSeed, ['bob']),
    ],
    refused: refusedVectors(),
  }
}

async function envelopeVector(
  name: string,
  suite: number,
  deviceSeed: Uint8Array,
  owners: string[],
): Promise<unknown> {
  const keys = await Promise.all(owners.map((owner) => recipientKey(suite, owner)))
  const header: Omit<EnvelopeHeader, 'version'> = {
    suite,
    from: ALICE,
    device: ed25519.getPublicKey(deviceSeed),
    to: [BOB],
    conversation: directConversation(ALICE, BOB),
    contentType: 'xmtp.org/text:1.0',
    created: 1_770_000_000_000,
    ttl: 86_400,
    nonce: fixed(`nonce ${suite}`, 16),
    replyTo: suite === SUITE.x25519 ? fixed('reply', 32) : null,
    flags: 0,
    ext: suite === SUITE.none ? { b: [1, true, null], aa: 'é' } : {},
  }
  const content: InnerContent = {
    salt: fixed(`salt ${suite}`, 16),
    replaces: null,
    topicId: new Uint8Array(),
    expires: null,
    inReplyTo: header.replyTo,
    contentType: 'xmtp.org/text:1.0',
    parameters: { encoding: 'UTF-8' },
    fallback: 'a text message',
    content: utf8Encode('gm, Bob'),
  }
  const drawn: string[] = []
  const random = (length: number) => {
    const bytes = fixed(`random ${suite} ${drawn.length}`, length)
    drawn.push(toHex(bytes))
    return bytes
  }
  const sign = signerFromDeviceKey(deviceSeed)
  const { id, bytes } = await sealEnvelope({ header, content, recipients: keys, sign }, random)
  const sealed = decodeSealed(bytes)
  const frame = withHop(frameForEnvelope(bytes, null), {
    gateway: 'gateway-1',
    network: 'waku',
    at: 1_770_000_000_500,
  })
  const [contentKey, ...encapsulationSeeds] = drawn
  return {
    name,
    header: jsonReady({ version: 1, ...header }),
    content: jsonReady(content),
    ...(contentKey === undefined ? {} : { contentKey, encapsulationSeeds }),
    recipients: keys.map((key) => jsonReady({ ...key, keyId: keyIdentifier(key.publicKey) })),
    headerBytes: toHex(sealed.headerBytes),
    contentBytes: toHex(encodeContent(content)),
    signedBytes: toHex(signedBytes(sealed)),
    id: toHex(id),
    sealed: toHex(bytes),
    ...(keys.length > 1
      ? { strippedToFirstRecipient: toHex(stripWraps(bytes, [keyIdentifier(keys[0]!.publicKey)])) }
      : {}),
    ...(suite === SUITE.none ? { frame: toHex(encodeFrame(frame)) } : {}),
  }
}

/** A key pair from fixed bytes: the scalar of X25519, the seed of X-Wing. */
async function recipientKey(
  suite: number,
  owner: string,
): Promise<{ publicKey: Uint8Array; privateKey: Uint8Array }> {
  const privateKey = fixed(`${owner} ${suite}`, 32)
  if (suite === SUITE.x25519) return { publicKey: x25519.getPublicKey(privateKey), privateKey }
  // X-Wing derives its key pair from input keying material, so the seed is what that derivation gives.
  const { kem } = requireKeyWrapSuite(suite).hpke
  const pair = await kem.deriveKeyPair(privateKey)
  return {
    publicKey: new Uint8Array(await kem.serializePublicKey(pair.publicKey)),
    privateKey: new Uint8Array(await kem.serializePrivateKey(pair.privateKey)),
  }
}

function refusedVectors(): unknown {
  return [
    { cbor: '1817', code: 'envelope-not-canonical', reason: 'the integer 23 fits the first byte' },
    { cbor: '9f01ff', code: 'envelope-not-canonical', reason: 'indefinite length' },
    { cbor: 'a2616201616101', code: 'envelope-not-canonical', reason: 'keys b, a out of order' },
    { cbor: '62c328', code: 'envelope-not-canonical', reason: 'text that is not UTF-8' },
    { cbor: '64efbbbf61', code: 'envelope-not-canonical', reason: 'text that starts with a byte order mark' },
    { cbor: 'a2616101616102', code: 'envelope-malformed', reason: 'key a twice' },
    { cbor: 'f93c00', code: 'envelope-malformed', reason: 'a float' },
    { cbor: 'f7', code: 'envelope-malformed', reason: 'undefined' },
    { cbor: 'c100', code: 'envelope-malformed', reason: 'a tag' },
    { cbor: '1b0020000000000000', code: 'envelope-malformed', reason: 'the integer 2^53' },
    { cbor: '0000', code: 'envelope-malformed', reason: 'a byte after the item' },
    { cbor: '9affffffff', code: 'envelope-malformed', reason: 'an array longer than the input' },
  ]
}

function jsonReady(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(jsonReady)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonReady(item)]))
}

/** The reference page with its vectors block made anew. */
export async function renderEnvelopeReference(page: string): Promise<string> {
  const begin = page.indexOf(MARKERS.begin)
  const end = page.indexOf(MARKERS.end)
  if (begin < 0 || end < begin) throw new Error('docs/reference/envelope-v1.md has lost its vectors markers')
  const block = `\n\`\`\`json\n${JSON.stringify(await envelopeVectors(), null, 2)}\n\`\`\`\n`
  return page.slice(0, begin + MARKERS.begin.length) + block + page.slice(end)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(REFERENCE, await renderEnvelopeReference(readFileSync(REFERENCE, 'utf8')))
}
