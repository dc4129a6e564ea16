/** Messages that are nested so deeply that copying them to another thread or writing them as JSON fails. */
import { createHash, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { afterEach, expect, it } from 'vitest'
import { waitFor } from '../../../src/adapter/testing/wait.ts'
import type { PushSandbox } from '../sandbox/index.ts'
import type { PushUser } from '../sandbox/sdk-user.ts'
import { isTooDeep, MOST_LEVELS } from '../sdk/depth.ts'
import { neverAborted } from '../testing.ts'
import { createAccounts, endAll, enrolled, heard, keyOf, setUp, walked } from './testing.ts'

afterEach(endAll, 60_000)

const fromSdk = createRequire(createRequire(import.meta.url).resolve('@pushprotocol/restapi'))
const { PGPHelper: pgp } = fromSdk('@pushprotocol/restapi/src/lib/chat/helpers/pgp.js') as {
  PGPHelper: {
    sign(of: { message: string; signingKey: string }): Promise<string>
    pgpEncrypt(of: { plainText: string; keys: string[] }): Promise<string>
  }
}
const { aesEncrypt } = fromSdk('@pushprotocol/restapi/src/lib/chat/helpers/aes.js') as {
  aesEncrypt(of: { plainText: string; secretKey: string }): string
}

/** As JSON: what cannot be written cannot be made by writing it. */
const nested = (levels: number) => `{"content":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`

/** A message as the SDK makes it, of a stranger who holds a key and does not use the SDK. Sent without the SDK. */
async function send(sandbox: PushSandbox, from: PushUser, to: PushUser, object: string): Promise<void> {
  const secret = randomUUID().slice(0, 15)
  const { pgpPublicKey } = (await to.invoke('encryption.info')) as { pgpPublicKey: string }
  const body = {
    fromDID: from.did,
    toDID: from.did,
    fromCAIP10: from.did,
    toCAIP10: to.did,
    messageObj: aesEncrypt({ plainText: object, secretKey: secret }),
    messageType: 'Meta',
    encType: 'pgp',
    sessionKey: null,
    encryptedSecret: await pgp.pgpEncrypt({ plainText: secret, keys: [pgpPublicKey] }),
  }
  const message = createHash('sha256').update(JSON.stringify(body)).digest('hex')
  const signature = await pgp.sign({ message, signingKey: new TextDecoder().decode(await keyOf(from)) })
  const sent = {
    ...body,
    toDID: to.did,
    messageContent: aesEncrypt({ plainText: 'for older applications', secretKey: secret }),
    verificationProof: `pgpv3:${signature}`,
  }
  const { ok } = await fetch(`${sandbox.addresses.rest}/v1/chat/message`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(sent),
  })
  if (!ok) throw new Error('the sandbox refused the message')
}

it('counts levels of arrays and objects', () => {
  expect(isTooDeep(JSON.parse(nested(MOST_LEVELS)))).toBe(false)
  expect(isTooDeep(JSON.parse(nested(MOST_LEVELS + 1)))).toBe(true)
  expect(isTooDeep(JSON.parse(nested(100_000)))).toBe(true)
  expect([null, undefined, 'text', 1].some((value) => isTooDeep(value))).toBe(false)
})

it.each([5_000, 20_000])(
  'one of %i levels is left out, and those after it are read',
  async (levels) => {
    const { sandbox, alice, bob } = await setUp({ strict: false })
    const { test, facet, id } = await enrolled(sandbox, alice)
    await send(sandbox, bob, alice, '{"content":"as the SDK makes it"}')
    await send(sandbox, bob, alice, nested(levels))
    await bob.sendText(alice.did, 'after it')
    await waitFor(() => heard(test).includes('after it'), { what: 'the message after it', timeoutMs: 60_000 })
    const texts = await walked(facet, id)
    expect(texts).toEqual([expect.stringContaining('as the SDK makes it'), 'after it'])
    expect(test.context.logs).toContainEqual(
      expect.objectContaining({ details: expect.objectContaining({ reason: 'undecryptable' }) }),
    )
  },
  240_000,
)

it.each([5_000, 20_000])(
  'one of %i levels that is not encrypted goes to no thread',
  async (levels) => {
    const { sandbox, alice } = await setUp()
    const { host, create } = createAccounts(sandbox)
    const account = create('one', alice.did, await keyOf(alice))
    await account.admit(neverAborted)
    const messageObj: unknown = JSON.parse(nested(levels))
    const opened = await account.open({ encType: 'PlainText', messageObj }, neverAborted)
    expect(opened).toEqual({ object: null, reason: 'undecryptable' })
    expect(host.running()).not.toBeNull()
    await account.dispose()
  },
  240_000,
)
