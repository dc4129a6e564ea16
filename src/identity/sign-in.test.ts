import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { IdentityStore } from '../store/port.ts'
import { verifyCertificate } from './certificate.ts'
import { verifyKeyLog } from './key-log.ts'
import { revoke, signedChallenge, signIn, startTestGateway, type TestGateway } from './testing/gateway.ts'
import { codeOf, DAY, DOMAIN, testDevice, testWallet } from './testing/wallets.ts'

const alice = testWallet(1)
let gateway: TestGateway
beforeEach(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.close())

/** The store, with some of its operations watched. */
const storeWith = (watched: Partial<IdentityStore>): IdentityStore => ({ ...gateway.store, ...watched })
const entriesOf = async () => (await gateway.identity.keys(alice.wallet)).log

describe('the key log', () => {
  it('does not grow when a device signs in again in the first half of its certificate’s life', async () => {
    const { identity } = gateway
    const first = await signIn(identity, alice)
    gateway.pass(10 * DAY)
    const again = await signIn(identity, alice, first.device)
    expect(again.certificate).toEqual(first.certificate)
    expect(again.token).not.toBe(first.token)
    expect(again.session).toMatchObject({ wallet: alice.wallet, device: first.device.publicKey })
    expect(await entriesOf()).toHaveLength(1)

    gateway.pass(5 * DAY)
    const renewed = await signIn(identity, alice, first.device)
    expect(renewed.certificate).not.toEqual(first.certificate)
    const expected = { wallet: alice.wallet, device: first.device.publicKey, trustedDomains: [DOMAIN] }
    await verifyCertificate(renewed.certificate!, expected)
    expect(await entriesOf()).toHaveLength(2)
  })

  it('gives a session no longer life than the certificate that stands', async () => {
    const lasting = gateway.restarted({ sessionTtlMs: 365 * DAY })
    const first = await signIn(lasting, alice)
    gateway.pass(10 * DAY)
    expect((await signIn(lasting, alice, first.device)).expiresAt).toBe(first.expiresAt)
  })

  it('grows when the device has another label', async () => {
    const { device } = await signIn(gateway.identity, alice)
    await signIn(gateway.identity, alice, { ...device, label: 'Another name' })
    expect(await entriesOf()).toHaveLength(2)
  })

  it('takes every text once, whether it was appended or not', async () => {
    const { identity } = gateway
    const { device } = await signIn(identity, alice)
    const signed = await signedChallenge(identity, alice, device)
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => identity.verify(signed)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await codeOf(() => identity.verify(signed))).toBe('challenge-unknown')
    const next = await signedChallenge(identity, alice, device)
    expect(next.message).not.toBe(signed.message)
    const replayed = { challengeId: next.challengeId, signature: signed.signature }
    expect(await codeOf(() => identity.verify(replayed))).toBe('wallet-signature-invalid')
  })

  it('gives no session to a device that is revoked at the same time', async () => {
    const { identity } = gateway
    const { device } = await signIn(identity, alice)
    const signing = await signedChallenge(identity, alice, device)
    const revoking = await signedChallenge(identity, alice, device, 'revoke')
    const [revoked, signedIn] = await Promise.allSettled([
      identity.verify(revoking),
      identity.verify(signing),
    ])
    expect(revoked.status).toBe('fulfilled')
    expect(signedIn).toMatchObject({ status: 'rejected', reason: { code: 'challenge-superseded' } })
  })

  it('takes a second revocation of a device without growing', async () => {
    const { identity } = gateway
    const { device } = await signIn(identity, alice)
    const first = await revoke(identity, alice, device)
    expect(await revoke(identity, alice, device)).toEqual(first)
    expect(await entriesOf()).toHaveLength(2)
  })

  it('takes 20 new devices a day and 60 in 30 days, and every revocation', async () => {
    const { identity } = gateway
    const devices = []
    for (let day = 0; day < 3; day++) {
      for (let index = 0; index < 20; index++) devices.push((await signIn(identity, alice)).device)
      expect(await codeOf(() => signIn(identity, alice))).toBe('key-log-busy')
      gateway.pass(DAY)
    }
    expect(await codeOf(() => signIn(identity, alice))).toBe('key-log-busy')
    await signIn(identity, alice, devices.at(-1)!)
    await revoke(identity, alice, devices[0]!)
    gateway.pass(27 * DAY)
    await signIn(identity, alice)
    const options = { wallet: alice.wallet, trustedDomains: [DOMAIN], now: gateway.now() }
    expect((await verifyKeyLog(await entriesOf(), options)).devices()).toHaveLength(61)
  })

  it('refuses what was asked for while there was room and is signed when there is none', async () => {
    const { identity } = gateway
    const room = gateway.restarted()
    for (let index = 0; index < 19; index++) await signIn(room, alice)
    const early = await signedChallenge(room, alice, testDevice())
    const late = await signedChallenge(room, alice, testDevice())
    await room.verify(early)
    expect(await codeOf(() => room.verify(late))).toBe('key-log-busy')
    expect(await codeOf(() => identity.verify(late))).toBe('key-log-busy')
  })

  it('is read from the store once, however often it grows', async () => {
    let reads = 0
    const store = storeWith({
      keyLog: (wallet) => {
        reads++
        return gateway.store.keyLog(wallet)
      },
    })
    const identity = gateway.restarted({ store })
    const { device } = await signIn(identity, alice)
    await signIn(identity, alice)
    await revoke(identity, alice, device)
    expect((await identity.keys(alice.wallet)).log).toEqual(await entriesOf())
    const question = { wallet: alice.wallet, device: device.publicKey, certificate: null }
    expect(await identity.deviceStatus({ ...question, receivedAt: gateway.now() })).toBe('revoked')
    expect(reads).toBe(1)
  })
})

describe('a challenge', () => {
  it('ends with its fifth wrong signature, also when they come at once', async () => {
    const { identity } = gateway
    const signed = await signedChallenge(identity, alice, testDevice())
    const wrong = { ...signed, signature: await testWallet(2).signer.signMessage(signed.message) }
    const codes = await Promise.all(Array.from({ length: 8 }, () => codeOf(() => identity.verify(wrong))))
    expect(codes.filter((code) => code === 'wallet-signature-invalid')).toHaveLength(5)
    expect(codes.filter((code) => code === 'challenge-unknown')).toHaveLength(3)
    expect(await codeOf(() => identity.verify(signed))).toBe('challenge-unknown')
    expect(await gateway.store.getChallenge(signed.challengeId)).toBeNull()
    await signIn(identity, alice)
  })

  it('does not outlive the domain in its text', async () => {
    const signed = await signedChallenge(gateway.identity, alice, testDevice())
    const moved = gateway.restarted({ domain: 'other.example' })
    expect(await codeOf(() => moved.verify(signed))).toBe('challenge-superseded')
    expect((await gateway.identity.verify(signed)).wallet).toBe(alice.wallet)
  })
})

describe('servedAmong', () => {
  it('names those who have signed in, and asks the store for those it does not know', async () => {
    const asked: (readonly string[])[] = []
    const store = storeWith({
      servedAmong: (wallets) => {
        asked.push(wallets)
        return gateway.store.servedAmong(wallets)
      },
    })
    const identity = gateway.restarted({ store })
    const [bob, carol] = [testWallet(2).wallet, testWallet(3).wallet]
    expect(await identity.servedAmong([alice.wallet, bob, carol])).toEqual(new Set())
    await signIn(identity, alice)
    expect(await identity.isServed(alice.wallet)).toBe(true)
    asked.length = 0
    expect(await identity.servedAmong([bob, alice.wallet, carol])).toEqual(new Set([alice.wallet]))
    expect(await identity.servedAmong([alice.wallet])).toEqual(new Set([alice.wallet]))
    expect(asked.flat()).toEqual([bob, carol])
  })
})
