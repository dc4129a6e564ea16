import { describe, expect, it } from 'vitest'
import { configSchema } from './config.ts'

const peer = '/ip4/127.0.0.1/tcp/60001/ws'

describe('configuration', () => {
  it('is an embedded node on loopback when nothing is given', () => {
    const config = configSchema.parse({})
    expect(config).toMatchObject({
      driver: 'embedded',
      clusterId: 42,
      shardsInCluster: 8,
      buckets: 64,
      requirePeers: 0,
    })
    if (config.driver === 'embedded') {
      expect(config.listen.every((address) => address.includes('127.0.0.1'))).toBe(true)
      expect(config.archive.clockWindowMs).toBe(20_000)
      expect(config.limits.subscriptionTtlMs).toBe(300_000)
    }
  })

  it('has defaults for every other driver', () => {
    expect(configSchema.parse({ driver: 'light', peers: [peer] })).toMatchObject({
      confirm: true,
      buckets: 64,
    })
    const rest = configSchema.parse({ driver: 'nwaku-rest', url: 'http://127.0.0.1:8645' })
    expect(rest).toMatchObject({ publish: 'relay', pollIntervalMs: 500 })
  })

  it.each([
    ['an unknown driver', { driver: 'carrier-pigeon' }],
    ['an unknown key', { driver: 'embedded', port: 1 }],
    ['a key of another driver', { driver: 'embedded', url: 'http://127.0.0.1' }],
    ['an address that is no multiaddr', { listen: ['127.0.0.1:60000'] }],
    ['a light client without peers', { driver: 'light', peers: [] }],
    ['no buckets', { buckets: 0 }],
    ['a REST address that is not HTTP', { driver: 'nwaku-rest', url: 'file:///etc/passwd' }],
  ])('refuses %s', (_what, input) => {
    expect(configSchema.safeParse(input).success).toBe(false)
  })
})
