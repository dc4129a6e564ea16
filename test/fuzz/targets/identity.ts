/** Identity: accounts, key entries, key logs, certificates, prekeys, and the text that a wallet signs. */
import { isWalletKey, SUITE, toBase64url, toHex } from '../../../src/envelope/index.ts'
import {
  type Account,
  accountText,
  type CertifiedDevice,
  composeMessage,
  decodeCertificate,
  decodeKeyEntry,
  decodePrekey,
  encodeCertificate,
  encodeKeyEntry,
  encodePrekey,
  IdentityError,
  type KeyEntry,
  type KeyLog,
  keyEntryHash,
  type Prekey,
  parseAccount,
  parseWallet,
  type SignedKeyEntry,
  type SignedPrekey,
  signPrekey,
  verifyCertificate,
  verifyKeyLog,
  verifyPrekey,
  walletKeyOf,
} from '../../../src/identity/index.ts'
import { parseEip4361 } from '../../../src/identity/testing/eip4361.ts'
import { codeOfClass, defineTarget } from '../target.ts'
import { bytesOrEmpty, packParts, partsOf } from './container.ts'
import { createPerson, DAY_MS, DOMAIN, fixed, keyLogOf, type Person, START } from './people.ts'

const typed = codeOfClass(IdentityError)
const SOLANA = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'
const CHECKSUMMED = '0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045'

const same = (left: Uint8Array, right: Uint8Array) => Buffer.compare(left, right) === 0

async function logs(owner: Person): Promise<SignedKeyEntry[][]> {
  const other = await createPerson('other device')
  return [
    await keyLogOf(owner, [{ action: 'add', device: owner.device }]),
    await keyLogOf(owner, [
      { action: 'add', device: owner.device },
      { action: 'add', device: other.device },
      { action: 'revoke', device: owner.device },
      { action: 'add', device: owner.device },
    ]),
  ]
}

async function entries(): Promise<Uint8Array[]> {
  const alice = await createPerson('alice')
  const [first] = await keyLogOf(alice, [{ action: 'add', device: alice.device }])
  const entry = decodeKeyEntry(first!.entry)
  const revoke: KeyEntry = { ...entry, action: 'revoke', capabilities: [], seq: 3, prev: fixed('prev', 32) }
  const address: KeyEntry = {
    ...entry,
    action: 'address',
    addresses: { waku: '/causeway/1/in-3/cbor', trtc: 'abc' },
  }
  const solana: KeyEntry = { ...entry, wallet: SOLANA, recovery: alice.wallet }
  return [entry, revoke, address, solana].map(encodeKeyEntry)
}

/** One spelling of a log or certificate, for comparing. */
const spelled = ({ entry, signature, account, domain }: SignedKeyEntry) =>
  [toHex(entry), signature, account, domain].join(' ')

export const identityTargets = [
  defineTarget<string>({
    name: 'account',
    format: 'text',
    async open() {
      return {
        seeds: [`eip155:1:${CHECKSUMMED}`, `eip155:137:${CHECKSUMMED.toLowerCase()}`, SOLANA],
        hostile: [
          `eip155:1:${'0x'.repeat(80)}`,
          `solana:x:${'1'.repeat(44)}`,
          'cosmos:a:b',
          `eip155:${'9'.repeat(32)}:0x0`,
        ],
        run: parseAccount,
        typed,
        forged(input, value) {
          const account = value as Account
          const text = accountText(account)
          if (text.toLowerCase() !== input.toLowerCase()) return 'read as another account than it says'
          if (accountText(parseAccount(text)) !== text) return 'its own spelling is another account'
          return isWalletKey(walletKeyOf(account)) && isWalletKey(walletKeyOf(account, { smart: true }))
            ? null
            : 'its wallet key is none'
        },
      }
    },
  }),
  defineTarget<string>({
    name: 'wallet',
    format: 'text',
    async open() {
      return {
        seeds: [CHECKSUMMED, `eip155:*:${CHECKSUMMED.toLowerCase()}`, `eip155:10:${CHECKSUMMED}`, SOLANA],
        run: (input) => parseWallet(input),
        typed,
        forged(input, value) {
          const { wallet, account } = value as ReturnType<typeof parseWallet>
          if (!isWalletKey(wallet)) return 'the wallet key is none'
          if (walletKeyOf(account) !== wallet) return 'wallet and account differ'
          return input.toLowerCase().includes(account.address.toLowerCase())
            ? null
            : 'read as another address than it says'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'key-entry',
    format: 'cbor',
    async open() {
      return {
        seeds: await entries(),
        run: decodeKeyEntry,
        typed,
        forged: (input, entry) =>
          same(encodeKeyEntry(entry as KeyEntry), input) ? null : 'one entry has two encodings',
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'message',
    format: 'cbor-container',
    async open() {
      const alice = await createPerson('alice')
      const containers = (await logs(alice))
        .flat()
        .map(({ entry, account, domain }) => packParts(entry, account, domain))
      const read = (input: Uint8Array) => {
        const [entry, account, domain] = partsOf(input)
        return {
          entry: bytesOrEmpty(entry),
          account: parseAccount(account as string),
          domain: domain as string,
        }
      }
      return {
        seeds: containers,
        run: (input) => composeMessage(read(input)),
        typed,
        /** The text says what was certified, to a reader that shares nothing with the composer. */
        forged(input, value) {
          const { entry, account, domain } = read(input)
          const parsed = parseEip4361(value as string)
          const fields = decodeKeyEntry(entry)
          const hash = keyEntryHash(entry)
          if (parsed === null) return 'the text does not follow EIP-4361'
          if (parsed.domain !== domain || parsed.address !== account.address)
            return 'the text names another domain or address'
          if (parsed.chainId !== account.reference || parsed.requestId !== String(fields.seq))
            return 'the text names another chain or place'
          if (parsed.nonce !== toHex(hash.subarray(0, 16))) return 'the nonce is not that of the entry'
          if (parsed.resources[0] !== `urn:causeway:entry:${toBase64url(hash)}`)
            return 'the text does not name the entry'
          if (parsed.resources[1] !== `urn:causeway:device:ed25519:${toBase64url(fields.device.publicKey)}`) {
            return 'the text does not name the device'
          }
          if (
            Date.parse(parsed.issuedAt) !== fields.notBefore ||
            Date.parse(parsed.expirationTime ?? '') !== fields.notAfter
          ) {
            return 'the text names other times'
          }
          const again = encodeKeyEntry(decodeKeyEntry(entry))
          return composeMessage({ domain, account: parseAccount(accountText(account)), entry: again }) ===
            value
            ? null
            : 'composed again it is another text'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'key-log',
    format: 'cbor-container',
    inputs: 100_000,
    testInputs: 1_000,
    async open() {
      const alice = await createPerson('alice')
      const originals = await logs(alice)
      const options = { wallet: alice.wallet, trustedDomains: [DOMAIN], now: START + DAY_MS }
      const read = (input: Uint8Array): SignedKeyEntry[] => {
        const rows = partsOf(input).filter((row) => Array.isArray(row))
        return rows.map(([entry, signature, account, domain]) => ({
          entry: bytesOrEmpty(entry),
          signature,
          account,
          domain,
        }))
      }
      return {
        seeds: originals.map((log) =>
          packParts(
            ...log.map(({ entry, signature, account, domain }) => [entry, signature, account, domain]),
          ),
        ),
        run: (input) => verifyKeyLog(read(input), options),
        typed,
        /** Entries may be missing at the end, which a client notices by the head that it pinned. */
        forged(input, value) {
          const log = read(input).map(spelled)
          const known = originals.some(
            (original) =>
              log.length <= original.length && log.every((row, index) => row === spelled(original[index]!)),
          )
          if (!known) return 'a log that the wallet did not sign verifies'
          return (value as KeyLog).head?.seq === (log.length === 0 ? undefined : log.length - 1)
            ? null
            : 'the head is another entry'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'certificate',
    format: 'cbor',
    inputs: 100_000,
    testInputs: 3_000,
    async open() {
      const alice = await createPerson('alice')
      const [log] = await logs(alice)
      const original = log![0]!
      const options = { wallet: alice.wallet, device: alice.device.publicKey, trustedDomains: [DOMAIN] }
      return {
        seeds: [encodeCertificate(original)],
        run: (input) => verifyCertificate(input, options),
        typed,
        forged(input, value) {
          const { wallet, device } = value as CertifiedDevice
          const decoded = decodeCertificate(input)
          if (!same(encodeCertificate(decoded), input)) return 'one certificate has two encodings'
          if (wallet !== alice.wallet || !same(device, alice.device.publicKey))
            return 'it certifies another device'
          return spelled(decoded) === spelled(original)
            ? null
            : 'a certificate that the wallet did not sign verifies'
        },
      }
    },
  }),
  defineTarget<Uint8Array>({
    name: 'prekey',
    format: 'cbor-container',
    testInputs: 4_000,
    async open() {
      const alice = await createPerson('alice')
      const prekeys: Prekey[] = [SUITE.x25519, SUITE.xwing].map((suite) => ({
        wallet: alice.wallet,
        device: alice.device.publicKey,
        suite,
        publicKey: alice.encryption.get(suite)!.publicKey,
        notBefore: START,
        notAfter: START + DAY_MS,
      }))
      const originals = await Promise.all(prekeys.map((prekey) => signPrekey(prekey, alice.sign)))
      const read = (input: Uint8Array): SignedPrekey => {
        const [bytes, signature] = partsOf(input)
        return { bytes: bytesOrEmpty(bytes), signature: signature as Uint8Array }
      }
      return {
        seeds: originals.map(({ bytes, signature }) => packParts(bytes, signature)),
        run: (input) => verifyPrekey(read(input)),
        typed,
        forged(input, value) {
          const signed = read(input)
          if (!same(encodePrekey(decodePrekey(signed.bytes)), signed.bytes))
            return 'one prekey has two encodings'
          if (!same(encodePrekey(value as Prekey), signed.bytes)) return 'it was read as another prekey'
          const known = originals.some(
            ({ bytes, signature }) => same(bytes, signed.bytes) && same(signature, signed.signature),
          )
          return known ? null : 'a prekey that the device did not sign verifies'
        },
      }
    },
  }),
]
