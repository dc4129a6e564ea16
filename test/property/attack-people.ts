/** Wallets with real devices, key logs and prekeys, behind a gateway that may lie about all of them. */
import { randomBytes } from '@noble/hashes/utils.js'
import { Wallet } from 'ethers'
import type { Api } from '../../src/client/api.ts'
import { createDirectory, type Directory } from '../../src/client/directory.ts'
import { type Keyring, loadKeyring } from '../../src/client/keyring.ts'
import { createOpener, type Opener } from '../../src/client/opening.ts'
import { sealMessage } from '../../src/client/sealing.ts'
import { loadSeenIds } from '../../src/client/seen.ts'
import { type ClientStorage, memoryStorage } from '../../src/client/storage.ts'
import type { Message, SealedMessage } from '../../src/client/types.ts'
import { type SignEd25519, signerFromDeviceKey, toBase64url } from '../../src/envelope/index.ts'
import {
  composeMessage,
  DEVICE_CAPABILITIES,
  encodeKeyEntry,
  type KeyAction,
  keyEntryHash,
  NO_ENTRY,
  parseAccount,
  type SignedKeyEntry,
  type SignedPrekey,
  signPrekey,
  walletKeyOf,
} from '../../src/identity/index.ts'

export const DOMAIN = 'gateway.example'
export const DAY = 86_400_000

/** What a gateway serves about wallets. It is not trusted: a test may put anything here. */
export class KeyServer {
  readonly logs = new Map<string, SignedKeyEntry[]>()
  readonly prekeys = new Map<string, SignedPrekey[]>()
  now = 1_770_000_000_000

  api(): Api {
    const get = async (path: string): Promise<unknown> => {
      const wallet = decodeURIComponent(/^\/v1\/wallets\/([^/]+)\/keys$/.exec(path)![1]!)
      return {
        wallet,
        log: (this.logs.get(wallet) ?? []).map((signed) => ({ ...signed, entry: toBase64url(signed.entry) })),
        prekeys: (this.prekeys.get(wallet) ?? []).map((prekey) => ({
          bytes: toBase64url(prekey.bytes),
          signature: toBase64url(prekey.signature),
        })),
      }
    }
    return { get } as Api
  }
}

/** A signed key entry for the wallet's device, on top of the log that the server has. */
export function signEntry(
  server: KeyServer,
  signer: { address: string; signMessageSync(text: string): string },
  device: Uint8Array,
  options: { action?: KeyAction; domain?: string; wallet?: string } = {},
): SignedKeyEntry {
  const account = parseAccount(`eip155:1:${signer.address}`)
  const wallet = options.wallet ?? walletKeyOf(account)
  const log = server.logs.get(wallet) ?? []
  const last = log.at(-1)
  const entry = encodeKeyEntry({
    wallet,
    seq: log.length,
    prev: last === undefined ? NO_ENTRY : keyEntryHash(last.entry),
    action: options.action ?? 'add',
    device: { publicKey: device, label: 'laptop' },
    notBefore: server.now,
    notAfter: server.now + 30 * DAY,
    capabilities: [...DEVICE_CAPABILITIES],
    addresses: {},
    recovery: null,
    salt: randomBytes(16),
  })
  const domain = options.domain ?? DOMAIN
  const named = parseAccount(`eip155:1:${wallet.slice(wallet.lastIndexOf(':') + 1)}`)
  const text = composeMessage({ domain, account: named, entry })
  return { entry, signature: signer.signMessageSync(text), account: `eip155:1:${named.address}`, domain }
}

/** One wallet with one device, using the client library's own sealing and opening. */
export interface Attested {
  signer: ReturnType<typeof Wallet.createRandom>
  wallet: string
  keyring: Keyring
  storage: ClientStorage
  sign: SignEd25519
  directory: Directory
  opener: Opener
  /** Makes today's prekeys and puts them on the server. */
  publish(): Promise<void>
  seal(to: Attested, text: string): Promise<SealedMessage>
  /** Opens sealed bytes as they came over any network. */
  read(sealed: Uint8Array): Promise<Message | null>
}

export async function createAttested(server: KeyServer): Promise<Attested> {
  const signer = Wallet.createRandom()
  const wallet = walletKeyOf(parseAccount(`eip155:1:${signer.address}`))
  const storage = memoryStorage()
  const keyring = await loadKeyring(storage)
  const sign = signerFromDeviceKey(keyring.device.privateKey)
  const now = () => server.now
  const trustedDomains = () => [DOMAIN]
  const directory = createDirectory({ api: server.api(), storage, trustedDomains, now })
  const opener = createOpener({
    wallet,
    openingKeys: () => keyring.openingKeys(),
    directory,
    seen: await loadSeenIds(storage),
    trustedDomains,
    now,
  })

  async function publish(): Promise<void> {
    await keyring.rotate(server.now)
    const signed = keyring.current().map(({ suite, publicKey }) =>
      signPrekey(
        {
          wallet,
          device: keyring.device.publicKey,
          suite,
          publicKey,
          notBefore: server.now,
          notAfter: server.now + 2 * DAY,
        },
        sign,
      ),
    )
    server.prekeys.set(wallet, await Promise.all(signed))
  }

  server.logs.set(wallet, [signEntry(server, signer, keyring.device.publicKey)])
  await publish()
  return {
    signer,
    wallet,
    keyring,
    storage,
    sign,
    directory,
    opener,
    publish,
    seal: async (to, text) =>
      sealMessage({
        message: { to: to.wallet, text },
        to: [to.wallet],
        from: wallet,
        keyring,
        certificate: null,
        peers: await Promise.all([to.wallet, wallet].map((peer) => directory.peer(peer))),
        now: server.now,
      }),
    read: (sealed) =>
      opener.sealed(sealed, { via: 'waku', cursor: null, certificate: null, receivedAt: server.now }),
  }
}
