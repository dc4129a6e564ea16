import { getAddress } from 'ethers/address'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toBase64url, toHex } from '../envelope/index.ts'
import { parseAccount } from './caip.ts'
import { encodeKeyEntry, keyEntryHash } from './key-entry.ts'
import { composeMessage } from './message.ts'
import { parseEip4361 } from './testing/eip4361.ts'
import { codeOf, DOMAIN, nextEntry, START, testDevice, testWallet } from './testing/wallets.ts'

const owner = testWallet(1)
const device = testDevice("Alice's phone")

describe('composeMessage', () => {
  it('follows the grammar of EIP-4361 and says what is signed', () => {
    const entry = encodeKeyEntry(nextEntry(owner, [], device))
    const hash = keyEntryHash(entry)
    const text = composeMessage({ domain: DOMAIN, account: owner.account, entry })
    const message = parseEip4361(text)
    expect(message).toEqual({
      domain: DOMAIN,
      address: owner.signer.address,
      statement:
        "Allow the device [Alice's phone] to send and read messages for this wallet. No funds move, and nothing is paid.",
      uri: `https://${DOMAIN}/v1/wallets/${owner.wallet}/keys`,
      chainId: '1',
      nonce: toHex(hash).slice(0, 32),
      issuedAt: new Date(START).toISOString(),
      expirationTime: new Date(START + 30 * 86_400_000).toISOString(),
      requestId: '0',
      resources: [
        `urn:causeway:entry:${toBase64url(hash)}`,
        `urn:causeway:device:ed25519:${toBase64url(device.publicKey)}`,
        'urn:causeway:capability:message:send',
        'urn:causeway:capability:message:read',
        'urn:causeway:capability:address:write',
      ],
    })
    expect(getAddress(message!.address)).toBe(message!.address)
  })

  it('has a text of its own for revocation', () => {
    const entry = encodeKeyEntry(nextEntry(owner, [], device, { action: 'revoke' }))
    const message = parseEip4361(composeMessage({ domain: DOMAIN, account: owner.account, entry }))
    expect(message?.statement).toMatch(/^Remove the device \[Alice's phone\]/)
  })

  it.each(['localhost:8787', '127.0.0.1:8787', '[::1]:8787'])('names %s without TLS', (domain) => {
    const entry = encodeKeyEntry(nextEntry(owner, [], device))
    const message = parseEip4361(composeMessage({ domain, account: owner.account, entry }))
    expect(message).toMatchObject({ domain, uri: `http://${domain}/v1/wallets/${owner.wallet}/keys` })
  })

  it.each([
    '',
    'Gateway.example',
    'https://gateway.example',
    'user@gateway.example',
    'a b',
    'x\ny',
    'a/b',
    'x'.repeat(129),
  ])('refuses the domain %j', async (domain) => {
    const entry = encodeKeyEntry(nextEntry(owner, [], device))
    expect(await codeOf(() => composeMessage({ domain, account: owner.account, entry }))).toBe(
      'domain-malformed',
    )
  })

  it('refuses an account of another wallet, and actions without rules', async () => {
    const compose = (changes: object, account = owner.account) => {
      const entry = encodeKeyEntry(nextEntry(owner, [], device, changes))
      return codeOf(() => composeMessage({ domain: DOMAIN, account, entry }))
    }
    expect(await compose({}, testWallet(2).account)).toBe('account-malformed')
    expect(await compose({ action: 'recover' })).toBe('key-action-unsupported')
    expect(await compose({ action: 'address' })).toBe('key-action-unsupported')
  })

  it('follows the grammar for every entry that can be encoded', () => {
    const labelCharacters = "ABCXYZabcxyz0189-._~:/?#@!$&'()*+,;= "
    const label = fc
      .string({ unit: fc.constantFrom(...labelCharacters), minLength: 1, maxLength: 64 })
      .map((text) => text.trim())
      .filter((text) => text.length > 0)
    const input = fc.record({
      label,
      seq: fc.nat(),
      notBefore: fc.integer({ min: 0, max: Date.UTC(9999, 0) }),
      life: fc.integer({ min: 1, max: 30 * 86_400_000 }),
      chain: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      capabilities: fc.uniqueArray(fc.constantFrom('message:send', 'message:read', 'alert:aave-v3', 'x'), {
        maxLength: 4,
      }),
      action: fc.constantFrom('add' as const, 'revoke' as const),
    })
    fc.assert(
      fc.property(input, ({ label: name, life, chain, ...fields }) => {
        const changes = { ...fields, notAfter: fields.notBefore + life }
        const entry = encodeKeyEntry(nextEntry(owner, [], { ...device, label: name }, changes))
        const account = parseAccount(`eip155:${chain}:${owner.signer.address}`)
        const message = parseEip4361(composeMessage({ domain: DOMAIN, account, entry }))
        expect(message).toMatchObject({ chainId: String(chain), requestId: String(fields.seq) })
        expect(message?.resources).toHaveLength(2 + fields.capabilities.length)
      }),
      { numRuns: 300 },
    )
  })

  it('differs in its nonce for every entry', () => {
    const nonces = new Set<string>()
    for (let count = 0; count < 50; count++) {
      const entry = encodeKeyEntry(nextEntry(owner, [], device))
      nonces.add(parseEip4361(composeMessage({ domain: DOMAIN, account: owner.account, entry }))!.nonce)
    }
    expect(nonces.size).toBe(50)
  })
})
