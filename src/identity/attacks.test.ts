/** Known attacks on key directories and logins. Each is shown to fail here. */
import { hashMessage } from 'ethers/hash'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeCertificate } from './certificate.ts'
import { decodeKeyEntry, encodeKeyEntry } from './key-entry.ts'
import { checkPinnedHead, readKeyLog, verifyKeyLog } from './key-log.ts'
import { composeMessage } from './message.ts'
import { parseEip4361 } from './testing/eip4361.ts'
import { revoke, signedChallenge, signIn, startTestGateway, type TestGateway } from './testing/gateway.ts'
import {
  codeOf,
  DAY,
  DOMAIN,
  nextEntry,
  START,
  signEntry,
  testDevice,
  testWallet,
} from './testing/wallets.ts'

const alice = testWallet(1)
const mallory = testWallet(666)
let gateway: TestGateway
beforeEach(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.close())

const verifyOptions = () => ({ wallet: alice.wallet, trustedDomains: [DOMAIN], now: gateway.now() })

describe('attacks on the key directory', () => {
  it('20: a gateway that swaps a key is found out, whatever it does to the entry', async () => {
    await signIn(gateway.identity, alice)
    const { log } = await gateway.identity.keys(alice.wallet)
    const honest = log[0]!
    const evil = testDevice('Evil')
    const swapped = encodeKeyEntry({
      ...decodeKeyEntry(honest.entry),
      device: { publicKey: evil.publicKey, label: 'Evil' },
    })
    const forged = await signEntry(alice, nextEntry(alice, [], evil), { signer: mallory.signer })
    const attempts = [{ ...honest, entry: swapped }, forged, { ...forged, account: mallory.accountText }]
    for (const attempt of attempts) {
      expect(await codeOf(() => verifyKeyLog([attempt], verifyOptions()))).toMatch(
        /wallet-signature-invalid|key-log-broken/,
      )
    }
    const appended = await signEntry(alice, nextEntry(alice, log, evil), { signer: mallory.signer })
    expect(await codeOf(() => verifyKeyLog([honest, appended], verifyOptions()))).toBe(
      'wallet-signature-invalid',
    )
  })

  it('21: a rotated key is seen, and a log that hides the rotation is refused', async () => {
    const { identity } = gateway
    const old = testDevice('Old phone')
    await signIn(identity, alice, old)
    const before = (await identity.keys(alice.wallet)).log
    gateway.pass(1000)
    await revoke(identity, alice, old)
    await signIn(identity, alice, testDevice('New phone'))
    const after = readKeyLog((await identity.keys(alice.wallet)).log, alice.wallet)
    expect(after.deviceStatus(old.publicKey, gateway.now())).toBe('revoked')
    checkPinnedHead(after, readKeyLog(before, alice.wallet).head!)
    const hidden = readKeyLog(before, alice.wallet)
    expect(await codeOf(() => checkPinnedHead(hidden, after.head!))).toBe('key-log-forked')
  })

  it('23: each device has a key of its own, and goes alone', async () => {
    const { identity } = gateway
    const [phone, laptop] = [testDevice('Phone'), testDevice('Laptop')]
    await signIn(identity, alice, phone)
    await signIn(identity, alice, laptop)
    await revoke(identity, alice, phone)
    const status = (device: Uint8Array) =>
      identity.deviceStatus({ wallet: alice.wallet, device, certificate: null, receivedAt: gateway.now() })
    expect(await status(phone.publicKey)).toBe('revoked')
    expect(await status(laptop.publicKey)).toBe('certified')
  })

  it('26: a stolen device is revoked from any other place with the wallet alone', async () => {
    const { identity } = gateway
    const stolen = await signIn(identity, alice, testDevice('Stolen'))
    const question = {
      wallet: alice.wallet,
      device: stolen.device.publicKey,
      certificate: stolen.certificate,
      receivedAt: gateway.now(),
    }
    expect(await identity.deviceStatus(question)).toBe('certified')
    await revoke(identity, alice, stolen.device)
    expect(await identity.deviceStatus(question)).toBe('revoked')
    expect(await identity.authenticate(stolen.token)).toBeNull()
  })

  it('26: a thief cannot undo the revocation with the certificate or its old signature', async () => {
    const { identity } = gateway
    const device = testDevice('Stolen')
    const signed = await signedChallenge(identity, alice, device)
    await identity.verify(signed)
    await revoke(identity, alice, device)
    expect(await codeOf(() => identity.verify(signed))).toBe('challenge-unknown')
    const again = await identity.challenge({ wallet: alice.accountText, device })
    const replayed = { challengeId: again.challengeId, signature: signed.signature }
    expect(await codeOf(() => identity.verify(replayed))).toBe('wallet-signature-invalid')
  })

  it('26: nobody else can revoke a device', async () => {
    const { identity } = gateway
    const { device, token } = await signIn(identity, alice)
    const { challengeId, message } = await identity.challenge({
      wallet: alice.accountText,
      device,
      action: 'revoke',
    })
    const signature = await mallory.signer.signMessage(message)
    expect(await codeOf(() => identity.verify({ challengeId, signature }))).toBe('wallet-signature-invalid')
    expect(await identity.authenticate(token)).not.toBeNull()
  })
})

describe('attacks on the login', () => {
  it('27: the text names domain, subject, chain, times and nonce, in the grammar of EIP-4361', async () => {
    const { message } = await gateway.identity.challenge({
      wallet: `eip155:137:${alice.signer.address}`,
      device: testDevice(),
    })
    expect(parseEip4361(message)).toMatchObject({
      domain: DOMAIN,
      uri: `https://${DOMAIN}/v1/wallets/${alice.wallet}/keys`,
      chainId: '137',
      issuedAt: new Date(START).toISOString(),
      expirationTime: new Date(START + 30 * DAY).toISOString(),
      nonce: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
  })

  it('28: a signature over any other text is refused, though it holds the live nonce', async () => {
    const { identity } = gateway
    const device = testDevice()
    const { challengeId, message, entry } = await identity.challenge({ wallet: alice.accountText, device })
    const { nonce } = parseEip4361(message)!
    const evil = testDevice('Evil')
    const swapped = encodeKeyEntry({
      ...decodeKeyEntry(entry),
      device: { publicKey: evil.publicKey, label: evil.label },
    })
    const texts = [
      nonce,
      `Sign in: ${nonce}`,
      `${message}\n`,
      message.replace(DOMAIN, 'evil.example'),
      message.replace('Chain ID: 1', 'Chain ID: 10'),
      message.replace(alice.signer.address, alice.signer.address.toLowerCase()),
      message.replaceAll('\n', '\r\n'),
      composeMessage({ domain: 'evil.example', account: alice.account, entry }),
      composeMessage({ domain: DOMAIN, account: testWallet(1, 10).account, entry }),
      composeMessage({ domain: DOMAIN, account: alice.account, entry: swapped }),
    ]
    for (const text of texts) {
      expect(hashMessage(text)).not.toBe(hashMessage(message))
      // A service that has not counted the signatures before.
      const { verify } = gateway.restarted()
      const signature = await alice.signer.signMessage(text)
      expect(await codeOf(() => verify({ challengeId, signature }))).toBe('wallet-signature-invalid')
    }
    expect(
      await identity.verify({ challengeId, signature: await alice.signer.signMessage(message) }),
    ).toMatchObject({
      wallet: alice.wallet,
    })
  })

  it('28: a text that a phishing gateway had signed is no certificate here', async () => {
    const evil = testDevice('Evil')
    const phished = await signEntry(alice, nextEntry(alice, [], evil), { domain: 'evil.example' })
    const ask = (signed: typeof phished) =>
      gateway.identity.deviceStatus({
        wallet: alice.wallet,
        device: evil.publicKey,
        certificate: encodeCertificate(signed),
        receivedAt: gateway.now(),
      })
    expect(await ask(phished)).toBe('certificateInvalid')
    expect(await ask({ ...phished, domain: DOMAIN })).toBe('certificateInvalid')
  })

  it('28: another wallet’s signature over the text is refused', async () => {
    const { identity } = gateway
    const { challengeId, message } = await identity.challenge({
      wallet: alice.accountText,
      device: testDevice(),
    })
    const signature = await mallory.signer.signMessage(message)
    expect(await codeOf(() => identity.verify({ challengeId, signature }))).toBe('wallet-signature-invalid')
    expect(await identity.isServed(alice.wallet)).toBe(false)
    expect(await identity.isServed(mallory.wallet)).toBe(false)
  })

  it('29: a signature that comes late is refused', async () => {
    const signed = await signedChallenge(gateway.identity, alice, testDevice())
    gateway.pass(5 * 60 * 1000)
    expect(await codeOf(() => gateway.identity.verify(signed))).toBe('challenge-expired')
    expect(await gateway.identity.isServed(alice.wallet)).toBe(false)
  })

  it('29: a signature is good once', async () => {
    const signed = await signedChallenge(gateway.identity, alice, testDevice())
    await gateway.identity.verify(signed)
    expect(await codeOf(() => gateway.identity.verify(signed))).toBe('challenge-unknown')
    expect(await codeOf(() => gateway.restarted().verify(signed))).toBe('challenge-unknown')
  })

  it('34: an address with a wrong checksum is refused', async () => {
    const wallet = 'eip155:1:0x742d35Cc6634C0532925a3b844Bc9e7595f2bD28'
    expect(await codeOf(() => gateway.identity.challenge({ wallet, device: testDevice() }))).toBe(
      'account-checksum',
    )
  })
})

describe('single use under concurrency', () => {
  it('lets one of many verifications of one challenge through', async () => {
    const second = gateway.restarted()
    const signed = await signedChallenge(gateway.identity, alice, testDevice())
    const attempts = Array.from({ length: 40 }, (_, index) =>
      (index % 2 === 0 ? gateway.identity : second).verify(signed),
    )
    const outcomes = await Promise.allSettled(attempts)
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.code] : [],
    )
    expect(refusals).toEqual(Array(39).fill('challenge-unknown'))
    expect((await gateway.identity.keys(alice.wallet)).log).toHaveLength(1)
  })

  it('appends one of many challenges that were made at the same place of the log', async () => {
    const { identity } = gateway
    const signed = await Promise.all(
      Array.from({ length: 12 }, () => signedChallenge(identity, alice, testDevice())),
    )
    const outcomes = await Promise.allSettled(signed.map((each) => identity.verify(each)))
    const refusals = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason.code] : [],
    )
    expect(refusals).toEqual(Array(11).fill('challenge-superseded'))
    const { log } = await identity.keys(alice.wallet)
    expect((await verifyKeyLog(log, verifyOptions())).devices()).toHaveLength(1)
  })

  it('goes on after a challenge was superseded', async () => {
    const { identity } = gateway
    const device = testDevice()
    const early = await signedChallenge(identity, alice, device)
    await signIn(identity, alice)
    expect(await codeOf(() => identity.verify(early))).toBe('challenge-superseded')
    await signIn(identity, alice, device)
    expect((await identity.keys(alice.wallet)).log).toHaveLength(2)
  })
})
