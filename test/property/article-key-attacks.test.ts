/**
 * Attacks on keys: how they are made, named, published and replaced. Each succeeds against the article's construction and is
 * refused by this project's identity, envelope and client parts.
 */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { randomBytes } from '@noble/hashes/utils.js'
import { hashMessage, Signature, Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { loadKeyring } from '../../src/client/keyring.ts'
import { loadSeenIds } from '../../src/client/seen.ts'
import { memoryStorage } from '../../src/client/storage.ts'
import {
  decodeHeader,
  decodeSealed,
  encodeCanonical,
  generateDeviceKey,
  generateEncryptionKeyPair,
  SUITE,
  signerFromDeviceKey,
  toHex,
  utf8Decode,
} from '../../src/envelope/index.ts'
import {
  composeMessage,
  encodeCertificate,
  parseAccount,
  signPrekey,
  verifyCertificate,
  verifyKeyLog,
  verifyWalletSignature,
} from '../../src/identity/index.ts'
import {
  ARTICLE_KEY_TEXT,
  ARTICLE_PROFILE_FIELD,
  ArticleServer,
  articleMessage,
  E2EEncryption,
  EncryptedMessenger,
  payloadOf,
} from './article-construction.ts'
import { createAttested, DAY, DOMAIN, KeyServer, signEntry } from './attack-people.ts'

/** Every spelling of one wallet signature that tools and wallets produce: all valid, all the same signature or its twin. */
function spellings(signature: string): Record<string, string> {
  const parts = Signature.from(signature)
  const order = secp256k1.Point.Fn.ORDER
  const twin = (order - BigInt(parts.s)).toString(16).padStart(64, '0')
  return {
    usual: signature,
    'upper case': `0x${signature.slice(2).toUpperCase()}`,
    'v as 0 or 1': `${signature.slice(0, -2)}0${parts.yParity}`,
    'EIP-2098': parts.compactSerialized,
    'no prefix': signature.slice(2),
    'high s': `0x${parts.r.slice(2)}${twin}${parts.v === 27 ? '1c' : '1b'}`,
  }
}

describe('8 rotation', () => {
  it('is impossible in the article: the text is fixed, and so is the key, on every device and for ever', async () => {
    const wallet = Wallet.createRandom()
    const [laptop, phone] = [
      await E2EEncryption.fromWalletSignature(wallet),
      await E2EEncryption.fromWalletSignature(wallet),
    ]
    expect(toHex(laptop.privateKey)).toBe(toHex(phone.privateKey))
  })

  it('is daily here: keys are random for each device and day, and made without the wallet', async () => {
    const [laptop, phone] = await Promise.all([loadKeyring(memoryStorage()), loadKeyring(memoryStorage())])
    expect(toHex(laptop.device.privateKey)).not.toBe(toHex(phone.device.privateKey))
    await laptop.rotate(0)
    const yesterday = laptop.current().map(({ publicKey }) => toHex(publicKey))
    await laptop.rotate(DAY)
    const today = laptop.current().map(({ publicKey }) => toHex(publicKey))
    expect(new Set([...yesterday, ...today]).size).toBe(4)
  })

  it('takes a stolen device out of use here: after its revocation nothing that it signs is taken', async () => {
    const server = new KeyServer()
    const [alice, bob] = [await createAttested(server), await createAttested(server)]
    const first = await alice.seal(bob, 'mine')
    const second = await alice.seal(bob, 'not mine any more')
    expect((await bob.read(first.sealed))?.text).toBe('mine')
    server.now += DAY
    const device = alice.keyring.device.publicKey
    server.logs.get(alice.wallet)!.push(signEntry(server, alice.signer, device, { action: 'revoke' }))
    await expect(bob.read(second.sealed)).rejects.toMatchObject({ code: 'sender-not-trusted' })
  })
})

describe('11 caches keyed by spelling', () => {
  it('grow without bound in the article: each spelling of one key is a new entry', () => {
    const server = new ArticleServer()
    const alice = new EncryptedMessenger(server, new E2EEncryption(), 'alice')
    const bob = new EncryptedMessenger(server, new E2EEncryption(), 'bob')
    const payload = payloadOf(alice.sendEncrypted('bob', 'hello'))
    const before = bob.e2e.sharedSecrets.size
    for (let index = 0; index < 1000; index++) {
      const senderPublicKey = `${payload.senderPublicKey}z${index}`
      server.deliver(articleMessage('alice', 'bob', { ...payload, senderPublicKey }))
    }
    expect(bob.e2e.sharedSecrets.size - before).toBe(1000)
  })

  it('cannot here: a wallet has one spelling, a key is bytes, and what is remembered is bounded', async () => {
    const server = new KeyServer()
    const [alice, bob] = [await createAttested(server), await createAttested(server)]
    const { header } = decodeSealed((await alice.seal(bob, 'hello')).sealed)
    const address = alice.wallet.slice(alice.wallet.lastIndexOf(':') + 1)
    for (const from of [
      `eip155:*:${address.toUpperCase()}`,
      `eip155:01:${address}`,
      address,
      `${alice.wallet} `,
      `EIP155:*:${address}`,
    ]) {
      const bytes = encodeCanonical(Object.values({ ...header, from }))
      expect(() => decodeHeader(bytes)).toThrow(expect.objectContaining({ code: 'envelope-header-invalid' }))
    }
    const storage = memoryStorage()
    const seen = await loadSeenIds(storage, 100)
    for (let index = 0; index < 1000; index++) seen.add(`id ${index}`)
    await seen.save()
    expect(JSON.parse((await storage.get('seen'))!)).toHaveLength(100)
  })
})

describe('12 keys derived from a wallet signature', () => {
  it('break in the article: six spellings of one signature give six keys, a hedged signer a new key each time', async () => {
    const wallet = Wallet.createRandom()
    const variants = Object.values(spellings(wallet.signMessageSync(ARTICLE_KEY_TEXT)))
    const derive = async (signature: string) => {
      const { privateKey } = await E2EEncryption.fromWalletSignature({ signMessage: () => signature })
      return toHex(privateKey)
    }
    expect(new Set(await Promise.all(variants.map(derive))).size).toBe(6)

    const hedged = () => {
      const digest = Buffer.from(hashMessage(ARTICLE_KEY_TEXT).slice(2), 'hex')
      const key = Buffer.from(wallet.privateKey.slice(2), 'hex')
      return `0x${toHex(secp256k1.sign(digest, key, { prehash: false, extraEntropy: randomBytes(32) }))}`
    }
    expect(await derive(hedged())).not.toBe(await derive(hedged()))
  })

  it('do not exist here, and a certificate is the same whichever way the wallet spells its signature', async () => {
    const server = new KeyServer()
    const wallet = Wallet.createRandom()
    const device = generateDeviceKey().publicKey
    const signed = signEntry(server, wallet, device)
    const account = parseAccount(signed.account)
    const walletKey = `eip155:*:${wallet.address.toLowerCase()}`
    const message = composeMessage({ domain: DOMAIN, account, entry: signed.entry })
    const verify = (signature: string) =>
      verifyWalletSignature({ wallet: walletKey, account, message, signature })
    const { 'no prefix': noPrefix, 'high s': highS, ...accepted } = spellings(signed.signature)
    for (const signature of Object.values(accepted)) {
      expect(await verify(signature)).toMatchObject({ signature: signed.signature })
    }
    for (const signature of [noPrefix!, highS!]) {
      await expect(verify(signature)).rejects.toMatchObject({ code: 'wallet-signature-invalid' })
    }
    // The device key came before the signature and does not depend on it.
    const options = { wallet: walletKey, device, trustedDomains: [DOMAIN] }
    expect((await verifyCertificate(encodeCertificate(signed), options)).device).toEqual(device)
  })
})

describe('13 phishing', () => {
  it('succeeds in the article: any web page that gets the fixed text signed owns the messages, past and future', async () => {
    const server = new ArticleServer()
    const wallet = Wallet.createRandom()
    const alice = new EncryptedMessenger(server, await E2EEncryption.fromWalletSignature(wallet), 'alice')
    const bob = new EncryptedMessenger(server, new E2EEncryption(), 'bob')
    const recorded = bob.sendEncrypted('alice', 'the secret')
    const evilPage = await E2EEncryption.fromWalletSignature({
      signMessage: (text) => wallet.signMessage(text),
    })
    expect(evilPage.decrypt(payloadOf(recorded))).toBe('the secret')
    expect(toHex(evilPage.privateKey)).toBe(toHex(alice.e2e.privateKey))
  })

  it('gains nothing here: the text names domain and device, and what is signed for another domain is refused', async () => {
    const server = new KeyServer()
    const [alice, bob] = [await createAttested(server), await createAttested(server)]
    const evilDevice = generateDeviceKey()
    const phished = signEntry(server, alice.signer, evilDevice.publicKey, { domain: 'evil.example' })
    const text = composeMessage({
      domain: 'evil.example',
      account: parseAccount(phished.account),
      entry: phished.entry,
    })
    expect(text).toMatch(/^evil\.example wants you to sign in/)
    const honest = server.logs.get(alice.wallet)!
    const options = { wallet: alice.wallet, trustedDomains: [DOMAIN], now: server.now }
    await expect(verifyKeyLog([...honest, phished], options)).rejects.toMatchObject({
      code: 'key-log-untrusted-domain',
    })
    const relabelled = { ...phished, domain: DOMAIN }
    await expect(verifyKeyLog([...honest, relabelled], options)).rejects.toMatchObject({
      code: 'wallet-signature-invalid',
    })
    server.logs.set(alice.wallet, [...honest, relabelled])
    await expect(bob.directory.peer(alice.wallet)).rejects.toMatchObject({ code: 'peer-not-trusted' })
  })
})

describe('20 the server exchanges a key', () => {
  it('succeeds in the article: the profile field is not signed, so that the server reads and rewrites everything', () => {
    const server = new ArticleServer()
    const alice = new EncryptedMessenger(server, new E2EEncryption(), 'alice')
    const bob = new EncryptedMessenger(server, new E2EEncryption(), 'bob')
    const middle = new E2EEncryption()
    const bobsKey = bob.e2e.getPublicKeyHex()
    server.profiles.set('bob', { [ARTICLE_PROFILE_FIELD]: middle.getPublicKeyHex() })
    const seen = middle.decrypt(alice.e2e.encrypt(alice.resolvePeerKey('bob'), 'meet at nine'))
    server.deliver(articleMessage('alice', 'bob', middle.encrypt(bobsKey, seen.replace('nine', 'ten'))))
    expect([seen, bob.shown]).toEqual(['meet at nine', [{ from: 'alice', content: 'meet at ten' }]])
  })

  it('is refused here, whatever the gateway serves in place of Bob’s keys', async () => {
    const server = new KeyServer()
    const [alice, bob] = [await createAttested(server), await createAttested(server)]
    const middle = generateDeviceKey()
    const { publicKey } = await generateEncryptionKeyPair(SUITE.x25519)
    const fields = {
      wallet: bob.wallet,
      suite: SUITE.x25519,
      publicKey,
      notBefore: server.now,
      notAfter: server.now + DAY,
    }
    const middleSigns = signerFromDeviceKey(middle.privateKey)
    const honestLog = server.logs.get(bob.wallet)!
    const attempt = async () => {
      server.now += 61_000
      return alice.seal(bob, 'meet at nine')
    }

    // A prekey of a device that the wallet never certified.
    server.prekeys.set(bob.wallet, [await signPrekey({ ...fields, device: middle.publicKey }, middleSigns)])
    await expect(attempt()).rejects.toMatchObject({ code: 'peer-unreachable' })
    // A prekey in the name of Bob's device, signed by another.
    const device = bob.keyring.device.publicKey
    server.prekeys.set(bob.wallet, [await signPrekey({ ...fields, device }, middleSigns)])
    await expect(attempt()).rejects.toMatchObject({ code: 'peer-not-trusted' })
    // A certificate for the middle's device, signed by another wallet.
    const stranger = Wallet.createRandom()
    const forged = signEntry(server, stranger, middle.publicKey, { wallet: bob.wallet })
    server.prekeys.set(bob.wallet, [await signPrekey({ ...fields, device: middle.publicKey }, middleSigns)])
    server.logs.set(bob.wallet, [...honestLog, forged])
    await expect(attempt()).rejects.toMatchObject({ code: 'peer-not-trusted' })
    // A log that forgot what it showed before.
    server.logs.set(bob.wallet, [])
    await expect(attempt()).rejects.toMatchObject({ code: 'peer-not-trusted' })
    // And the truth still works.
    server.logs.set(bob.wallet, honestLog)
    await bob.publish()
    expect((await bob.read((await attempt()).sealed))?.text).toBe('meet at nine')
  })
})

describe('21 peer keys cached for ever', () => {
  it('hurts in the article: Alice goes on sealing to a key that Bob has replaced', () => {
    const server = new ArticleServer()
    const alice = new EncryptedMessenger(server, new E2EEncryption(), 'alice')
    const stolen = new EncryptedMessenger(server, new E2EEncryption(), 'bob').e2e
    alice.sendEncrypted('bob', 'first')
    const bob = new EncryptedMessenger(server, new E2EEncryption(), 'bob')
    const payload = alice.e2e.encrypt(alice.resolvePeerKey('bob'), 'second')
    expect(() => bob.e2e.decrypt(payload)).toThrow()
    expect(stolen.decrypt(payload)).toBe('second')
  })

  it('cannot here: a minute later the new prekey is used, and a revoked device gets nothing', async () => {
    const server = new KeyServer()
    const [alice, bob] = [await createAttested(server), await createAttested(server)]
    const keyIdsOf = async () =>
      decodeSealed((await alice.seal(bob, 'x')).sealed).wraps.map(({ keyId }) => toHex(keyId))
    const before = await keyIdsOf()
    server.now += DAY
    await bob.publish()
    await alice.publish()
    const after = await keyIdsOf()
    expect(after.filter((keyId) => before.includes(keyId))).toEqual([])
    const { sealed } = await alice.seal(bob, 'to the new key')
    expect(utf8Decode((await bob.read(sealed))!.content.content)).toBe('to the new key')

    server.now += 61_000
    const revocation = signEntry(server, bob.signer, bob.keyring.device.publicKey, { action: 'revoke' })
    server.logs.get(bob.wallet)!.push(revocation)
    server.now += 1
    await expect(alice.seal(bob, 'to a thief')).rejects.toMatchObject({ code: 'peer-unreachable' })
  })
})
