import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { generateEncryptionKeyPair, signerFromDeviceKey } from '../envelope/index.ts'
import { verifyCertificate } from './certificate.ts'
import { decodeKeyEntry } from './key-entry.ts'
import { verifyKeyLog } from './key-log.ts'
import { type Prekey, signPrekey } from './prekey.ts'
import { parseEip4361 } from './testing/eip4361.ts'
import { revoke, signedChallenge, signIn, startTestGateway, type TestGateway } from './testing/gateway.ts'
import { codeOf, DAY, DOMAIN, START, testDevice, testWallet } from './testing/wallets.ts'

const alice = testWallet(1)
const bob = testWallet(2)
let gateway: TestGateway
beforeEach(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.close())

describe('sign-in', () => {
  it('certifies the device and gives a token', async () => {
    const { identity } = gateway
    const device = testDevice('Phone')
    const challenge = await identity.challenge({ wallet: alice.signer.address, device })
    expect(challenge.expiresAt).toBe(START + 5 * 60 * 1000)
    expect(parseEip4361(challenge.message)).toMatchObject({
      domain: DOMAIN,
      address: alice.signer.address,
      chainId: '1',
    })
    expect(decodeKeyEntry(challenge.entry)).toMatchObject({ wallet: alice.wallet, seq: 0, action: 'add' })

    const signature = await alice.signer.signMessage(challenge.message)
    const signedIn = await identity.verify({ challengeId: challenge.challengeId, signature })
    expect(signedIn).toMatchObject({ wallet: alice.wallet, expiresAt: START + 7 * DAY })
    expect(await identity.authenticate(signedIn.token!)).toEqual({
      wallet: alice.wallet,
      account: alice.accountText,
      device: device.publicKey,
      expiresAt: START + 7 * DAY,
    })
    const certificate = { wallet: alice.wallet, device: device.publicKey, trustedDomains: [DOMAIN] }
    await verifyCertificate(signedIn.certificate!, certificate)
    expect(await identity.certificateOf(alice.wallet, device.publicKey)).toEqual(signedIn.certificate)
  })

  it('keeps a log that anyone can verify', async () => {
    const { identity } = gateway
    const phone = testDevice('Phone')
    await signIn(identity, alice, phone)
    gateway.pass(1000)
    await signIn(identity, testWallet(1, 10), testDevice('Laptop'))
    gateway.pass(1000)
    await revoke(identity, alice, phone)
    const { log } = await identity.keys(alice.wallet)
    const options = { wallet: alice.wallet, trustedDomains: [DOMAIN], now: gateway.now() }
    const devices = (await verifyKeyLog(log, options)).devices()
    expect(devices.map(({ label, revokedAt }) => [label, revokedAt])).toEqual([
      ['Phone', START + 2000],
      ['Laptop', null],
    ])
  })

  it('keeps the log in order when the clock steps back', async () => {
    await signIn(gateway.identity, alice)
    gateway.pass(-60_000)
    await signIn(gateway.identity, alice)
    const { log } = await gateway.identity.keys(alice.wallet)
    await verifyKeyLog(log, { wallet: alice.wallet, trustedDomains: [DOMAIN], now: gateway.now() })
  })

  it('stores no token', async () => {
    const { token, session } = await signIn(gateway.identity, alice)
    expect(token).toMatch(/^[-_A-Za-z0-9]{43}$/)
    expect(await gateway.store.getSession(token, START)).toBeNull()
    expect(session.wallet).toBe(alice.wallet)
  })

  it('takes each common spelling of the signature and keeps the canonical one', async () => {
    const { challengeId, signature } = await signedChallenge(gateway.identity, alice, testDevice())
    const { wallet } = await gateway.identity.verify({
      challengeId,
      signature: `0x${signature.slice(2).toUpperCase()}`,
    })
    expect((await gateway.identity.keys(wallet)).log[0]?.signature).toBe(signature)
  })

  it.each([
    ['a malformed account', { wallet: 'nobody' }, 'account-malformed'],
    ['a mistyped address', { wallet: '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD28' }, 'account-checksum'],
    [
      'an account of another namespace',
      { wallet: 'cosmos:cosmoshub-3:cosmos1t2uflqwqe0fsj0shcfkrvpukewcw40yjj6hdc0' },
      'identity-namespace-unsupported',
    ],
    [
      'a bad device key',
      { device: { publicKey: new Uint8Array(32), label: 'Phone' } },
      'device-key-malformed',
    ],
    ['a bad label', { device: testDevice('a\nb') }, 'device-label-malformed'],
    ['a device to revoke that was never there', { action: 'revoke' as const }, 'device-unknown'],
  ])('refuses %s', async (_name, changes, code) => {
    const request = { wallet: alice.accountText, device: testDevice(), ...changes }
    expect(await codeOf(() => gateway.identity.challenge(request))).toBe(code)
  })

  it('refuses an unknown challenge, a late signature and a bad one', async () => {
    const { identity } = gateway
    const signed = await signedChallenge(identity, alice, testDevice())
    expect(await codeOf(() => identity.verify({ ...signed, challengeId: 'x' }))).toBe('challenge-unknown')
    expect(await codeOf(() => identity.verify({ ...signed, signature: '0x' }))).toBe(
      'wallet-signature-invalid',
    )
    gateway.pass(5 * 60 * 1000)
    expect(await codeOf(() => identity.verify(signed))).toBe('challenge-expired')
  })
})

describe('sessions', () => {
  it('end by time, by sign-out and with the certificate', async () => {
    const { identity } = gateway
    const first = await signIn(identity, alice)
    const second = await signIn(identity, alice)
    await identity.signOut(first.token)
    expect(await identity.authenticate(first.token)).toBeNull()
    expect(await identity.authenticate(second.token)).not.toBeNull()
    gateway.pass(7 * DAY - 1)
    expect(await identity.authenticate(second.token)).not.toBeNull()
    gateway.pass(1)
    expect(await identity.authenticate(second.token)).toBeNull()

    const lasting = gateway.restarted({ sessionTtlMs: 365 * DAY })
    const third = await signIn(lasting, alice)
    expect(third.expiresAt).toBe(gateway.now() + 30 * DAY)
  })

  it('end at once for every session of a revoked device', async () => {
    const { identity } = gateway
    const stolen = testDevice('Stolen phone')
    const [first, second, other] = [
      await signIn(identity, alice, stolen),
      await signIn(identity, alice, stolen),
      await signIn(identity, alice),
    ]
    expect(await revoke(identity, alice, stolen)).toMatchObject({ token: null, expiresAt: null })
    expect(await identity.authenticate(first.token)).toBeNull()
    expect(await identity.authenticate(second.token)).toBeNull()
    expect(await identity.authenticate(other.token)).not.toBeNull()
    expect(await gateway.restarted().authenticate(first.token)).toBeNull()
  })

  it('are not found by anything that is no token', async () => {
    for (const token of ['', 'x', 'x'.repeat(43), 'x'.repeat(100_000)]) {
      expect(await gateway.identity.authenticate(token)).toBeNull()
    }
  })
})

describe('deviceStatus', () => {
  const ask = (device: Uint8Array, certificate: Uint8Array | null = null, wallet = alice.wallet) =>
    gateway.identity.deviceStatus({ wallet, device, certificate, receivedAt: gateway.now() })

  it('follows the log of a served wallet', async () => {
    const { device } = await signIn(gateway.identity, alice)
    expect(await ask(device.publicKey)).toBe('certified')
    expect(await ask(testDevice().publicKey)).toBe('unknown')
    gateway.pass(30 * DAY + 1)
    expect(await ask(device.publicKey)).toBe('expired')
    await signIn(gateway.identity, alice, device)
    expect(await ask(device.publicKey)).toBe('certified')
    await revoke(gateway.identity, alice, device)
    expect(await ask(device.publicKey)).toBe('revoked')
    expect(await gateway.identity.certificateOf(alice.wallet, device.publicKey)).toBeNull()
  })

  it('takes the certificate of a stranger from a trusted gateway', async () => {
    const home = await startTestGateway({ domain: 'home.example' })
    const { device, certificate } = await signIn(home.identity, alice)
    await home.close()
    expect(await ask(device.publicKey, certificate)).toBe('certificateInvalid')
    let checks = 0
    const { verifyWalletSignature } = await import('./wallet-signature.ts')
    const trusting = gateway.restarted({
      trustedDomains: ['home.example'],
      verifyWallet: (input) => {
        checks++
        return verifyWalletSignature(input)
      },
    })
    const question = {
      wallet: alice.wallet,
      device: device.publicKey,
      certificate,
      receivedAt: gateway.now(),
    }
    const answers = await Promise.all([1, 2, 3].map(() => trusting.deviceStatus(question)))
    expect(answers).toEqual(['certified', 'certified', 'certified'])
    expect(checks).toBe(1)
    expect(await trusting.deviceStatus({ ...question, certificate: null })).toBe('unknown')
    expect(await trusting.deviceStatus({ ...question, wallet: bob.wallet })).toBe('certificateInvalid')
    expect(await trusting.deviceStatus({ ...question, device: testDevice().publicKey })).toBe(
      'certificateInvalid',
    )
    expect(await trusting.deviceStatus({ ...question, receivedAt: START + 31 * DAY })).toBe('expired')
    expect(await trusting.isServed(alice.wallet)).toBe(false)
    expect((await trusting.keys(alice.wallet)).log).toEqual([])
  })

  it('lets no certificate override the log of a served wallet', async () => {
    const { device, certificate } = await signIn(gateway.identity, alice)
    expect(await ask(device.publicKey, certificate)).toBe('certified')
    await revoke(gateway.identity, alice, device)
    expect(await ask(device.publicKey, certificate)).toBe('revoked')
    expect(
      await gateway.restarted().deviceStatus({
        wallet: alice.wallet,
        device: device.publicKey,
        certificate,
        receivedAt: gateway.now(),
      }),
    ).toBe('revoked')
  })

  it('turns to the log once a stranger has signed in', async () => {
    const home = await startTestGateway()
    const { device, certificate } = await signIn(home.identity, alice)
    await home.close()
    expect(await ask(device.publicKey, certificate)).toBe('certified')
    await signIn(gateway.identity, alice)
    expect(await ask(device.publicKey, certificate)).toBe('unknown')
  })

  it('answers garbage without an error', async () => {
    for (const certificate of [
      new Uint8Array(),
      new Uint8Array(5000),
      new Uint8Array([0x84, 0x40, 0x40, 0x60, 0x60]),
    ]) {
      expect(await ask(testDevice().publicKey, certificate)).toBe('certificateInvalid')
    }
  })
})

describe('prekeys', () => {
  async function prekey(
    owner: { wallet: string; device: Uint8Array },
    changes: Partial<Prekey> = {},
  ): Promise<Prekey> {
    const { publicKey } = await generateEncryptionKeyPair(1)
    const { wallet, device } = owner
    return { wallet, device, suite: 1, publicKey, notBefore: START, notAfter: START + 2 * DAY, ...changes }
  }

  it('are published by a device for itself and go when it is revoked or lapses', async () => {
    const { identity } = gateway
    const { session, device } = await signIn(identity, alice)
    const sign = signerFromDeviceKey(device.privateKey)
    const signed = await signPrekey(await prekey(session), sign)
    expect(await identity.publishPrekeys(session, [signed])).toBe(1)
    expect((await identity.keys(alice.wallet)).prekeys).toMatchObject([
      { ...signed, suite: 1, wallet: alice.wallet },
    ])
    expect((await identity.keys(bob.wallet)).prekeys).toEqual([])

    await revoke(identity, alice, device)
    expect((await identity.keys(alice.wallet)).prekeys).toEqual([])
  })

  it('are refused for another device or wallet, with a bad signature, and out of time', async () => {
    const { identity } = gateway
    const { session, device } = await signIn(identity, alice)
    const sign = signerFromDeviceKey(device.privateKey)
    const stranger = testDevice()
    const publish = async (fields: Prekey, signer = sign) => {
      const signed = await signPrekey(fields, signer)
      return codeOf(() => identity.publishPrekeys(session, [signed]))
    }
    expect(await publish(await prekey({ ...session, wallet: bob.wallet }))).toBe('prekey-foreign')
    const other = await prekey({ ...session, device: stranger.publicKey })
    expect(await publish(other, signerFromDeviceKey(stranger.privateKey))).toBe('prekey-foreign')
    expect(await publish(await prekey(session), signerFromDeviceKey(stranger.privateKey))).toBe(
      'prekey-signature-invalid',
    )
    expect(await publish(await prekey(session, { notBefore: START - 2 * DAY, notAfter: START }))).toBe(
      'prekey-lifetime',
    )
    const far = START + 31 * DAY
    expect(await publish(await prekey(session, { notBefore: far, notAfter: far + DAY }))).toBe(
      'prekey-lifetime',
    )
    const signed = await signPrekey(await prekey(session), sign)
    expect(await codeOf(() => identity.publishPrekeys(session, Array(65).fill(signed)))).toBe(
      'prekey-malformed',
    )
    expect((await identity.keys(alice.wallet)).prekeys).toEqual([])
  })
})

describe('findWallet', () => {
  it('reads every spelling', async () => {
    expect(await gateway.identity.findWallet(alice.accountText)).toBe(alice.wallet)
    expect(await gateway.identity.findWallet(alice.wallet)).toBe(alice.wallet)
  })
})
