import { describe, expect, it } from 'vitest'
import { apiUrlOf, configSchema } from './config.ts'
import { inboxIdOf, inboxIdOfWallet, isInboxId, openWallet } from './wallet.ts'

const walletKey = `0x${'11'.repeat(32)}`

describe('configuration', () => {
  it('needs nothing but the wallet key, and joins the public network then', () => {
    const config = configSchema.parse({ walletKey })
    expect(config).toEqual({ environment: 'production', walletKey, probeIntervalMs: 15_000 })
    expect(apiUrlOf(config)).toBe('https://grpc.production.xmtp.network:443')
  })

  it('goes to the node that it names, whatever the environment', () => {
    const apiUrl = 'http://127.0.0.1:5556'
    expect(apiUrlOf(configSchema.parse({ walletKey, environment: 'local', apiUrl }))).toBe(apiUrl)
  })

  it.each([
    ['a key without 0x', { walletKey: '11'.repeat(32) }],
    ['a short key', { walletKey: '0x11' }],
    ['a node without TLS on another machine', { walletKey, apiUrl: 'http://192.0.2.1:5556' }],
    ['an address that is none', { walletKey, apiUrl: 'grpc.example.org' }],
    ['an unknown network', { walletKey, environment: 'testnet' }],
    ['an unknown key', { walletKey, gatewayHost: 'https://example.org' }],
  ])('refuses %s', (_what, values) => {
    expect(configSchema.safeParse(values).success).toBe(false)
  })
})

describe('wallets', () => {
  /** As `generateInboxId` of libxmtp 1.11 gives it. */
  const address = '0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a'

  it('derives address and inbox of a key', () => {
    const wallet = openWallet(walletKey)
    expect(wallet.address).toBe(address)
    expect(wallet.inboxId).toBe(inboxIdOf(address))
    expect(inboxIdOf(address.toUpperCase().replace('0X', '0x'))).toBe(wallet.inboxId)
    expect(isInboxId(wallet.inboxId)).toBe(true)
  })

  it('derives the key of the database from the key of the wallet alone, the same for ever', () => {
    const { databaseKey } = openWallet(walletKey)
    expect(Buffer.from(databaseKey).toString('hex')).toBe(
      Buffer.from(openWallet(walletKey.toUpperCase().replace('0X', '0x')).databaseKey).toString('hex'),
    )
    expect(databaseKey).toHaveLength(32)
    expect(databaseKey).not.toEqual(openWallet(`0x${'12'.repeat(32)}`).databaseKey)
  })

  it('knows the inbox of EVM accounts, and of no other wallets', () => {
    expect(inboxIdOfWallet(`eip155:*:${address}`)).toBe(inboxIdOf(address))
    expect(inboxIdOfWallet(`eip155:1:${address}`)).toBeNull()
    expect(
      inboxIdOfWallet('solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv'),
    ).toBeNull()
  })
})
