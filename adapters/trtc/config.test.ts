import { describe, expect, it } from 'vitest'
import { configSchema, regionOf, restUrls } from './config.ts'

const minimal = {
  sdkAppId: 1400000000,
  secretKey: 'k'.repeat(64),
  webhookToken: 'token-of-the-console',
  webhookSecret: 's'.repeat(24),
}

describe('configuration', () => {
  it('needs the app, its key and the webhook secrets, and nothing more', () => {
    expect(configSchema.parse(minimal)).toMatchObject({
      adminUserId: 'administrator',
      requestsPerSecond: 200,
    })
    for (const name of Object.keys(minimal)) {
      const { [name as keyof typeof minimal]: _left, ...rest } = minimal
      expect(configSchema.safeParse(rest).success).toBe(false)
    }
  })

  it('takes the app id as text, as environment variables give it', () => {
    expect(configSchema.parse({ ...minimal, sdkAppId: '1400000000' }).sdkAppId).toBe(1400000000)
    expect(configSchema.safeParse({ ...minimal, sdkAppId: 'abc' }).success).toBe(false)
  })

  it('refuses unknown keys, weak secrets and unencrypted addresses off this machine', () => {
    const refused = [
      { secretkey: 'typing error' },
      { webhookSecret: 'short' },
      { webhookSecret: 'with/slash/and spaces!!' },
      { restUrl: 'http://api.example.org' },
      { restUrl: 'ftp://127.0.0.1' },
      { proxyServer: 'ws://chat.example.org' },
      { credentialLifetimeSeconds: 86_401 },
      { region: 'atlantis' },
    ]
    for (const change of refused) {
      expect([change, configSchema.safeParse({ ...minimal, ...change }).success]).toEqual([change, false])
    }
    const taken = [
      { restUrl: 'http://127.0.0.1:9000' },
      { restUrl: 'https://api.example.org' },
      { proxyServer: 'ws://localhost:1' },
      { proxyServer: 'wss://chat.example.org' },
    ]
    for (const change of taken) expect(configSchema.safeParse({ ...minimal, ...change }).success).toBe(true)
  })

  it('finds the data center by the app id, with a backup host', () => {
    const regions = [1400000000, 1600000000, 20011061, 1720000000, 30000001, 1780000001, 89999999, 90000000]
    expect(regions.map(regionOf)).toEqual([
      'china',
      'china',
      'singapore',
      'singapore',
      'korea',
      'indonesia',
      'indonesia',
      'china',
    ])
    expect(restUrls(configSchema.parse({ ...minimal, sdkAppId: 20011061 }))).toEqual([
      'https://adminapisgp.im.qcloud.com',
      'https://adminapisgp.my-imcloud.com',
    ])
    expect(restUrls(configSchema.parse({ ...minimal, region: 'germany' }))[0]).toContain('adminapiger')
    expect(restUrls(configSchema.parse({ ...minimal, restUrl: 'http://127.0.0.1:9/' }))).toEqual([
      'http://127.0.0.1:9',
    ])
  })
})
