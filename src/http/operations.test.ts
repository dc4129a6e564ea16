import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  type Adapter,
  type AdapterDefinition,
  AdapterError,
  defineAdapter,
  type WebhookRequest,
  type WebhookResponse,
} from '../adapter/index.ts'
import { toHex } from '../envelope/index.ts'
import { call, HttpBench, seal } from './testing/bench.ts'

const bench = new HttpBench()
afterEach(() => bench.close())

interface FacetsOptions {
  webhook?: (request: WebhookRequest) => Promise<WebhookResponse>
  issue?: () => Promise<Record<string, string | number>>
  send?: Adapter['send']
  state?: 'connected' | 'badCredentials'
}

/** A network that is nothing but its facets, to see how the routes treat what adapters answer. */
function facets(options: FacetsOptions): AdapterDefinition {
  return defineAdapter({
    manifest: {
      network: 'trtc',
      title: 'Facets',
      specVersion: 1,
      limits: { maxFrameBytes: 262_144 },
      redeliveryWindowMs: 0,
      ordering: 'none',
      federates: false,
      carriesTransactionId: false,
      environment: [],
    },
    config: z.strictObject({}),
    create: (_config, context) => ({
      start: async () => context.state({ state: options.state ?? 'connected', userAction: 'do something' }),
      stop: async () => context.state({ state: 'stopped' }),
      capabilities: () => ({
        maxFrameBytes: 262_144,
        echo: false,
        history: false,
        lookup: false,
        idempotentSend: false,
        ephemeral: false,
        reachesAnyone: false,
        sharedAddresses: false,
      }),
      send: options.send ?? (async () => ({ remoteIds: [] })),
      identity: {
        addressOf: (wallet) => `user-${wallet.slice(-8)}`,
        isAddress: () => true,
        ownAddress: () => 'gateway-user',
      },
      ...(options.webhook ? { webhook: { handle: options.webhook } } : {}),
      ...(options.issue ? { credentials: { issue: options.issue } } : {}),
    }),
  }) as unknown as AdapterDefinition
}

describe('webhooks', () => {
  it('hand everything that the network sent to its adapter', async () => {
    const calls: WebhookRequest[] = []
    const handle = async (request: WebhookRequest) => {
      calls.push(request)
      return { status: 200, body: { ActionStatus: 'OK' } }
    }
    const gateway = await bench.gateway({ networks: { trtc: facets({ webhook: handle }) } })
    const body = new TextEncoder().encode('{"a": 1}')
    const answer = await call(gateway.url, 'POST', '/hooks/trtc/path-secret?Sign=abc&x=%20', body, {
      'x-extra': 'yes',
    })
    expect(answer).toMatchObject({ status: 200, body: { ActionStatus: 'OK' } })
    const [received] = calls
    expect(received!.secret).toBe('path-secret')
    expect(received!.query.get('Sign')).toBe('abc')
    expect(received!.headers.get('x-extra')).toBe('yes')
    expect(new TextDecoder().decode(received!.body)).toBe('{"a": 1}')
    expect(gateway.lines.join('')).not.toContain('path-secret')
  })

  it('are refused with the code of the adapter', async () => {
    for (const [code, status] of [
      ['webhook-secret-invalid', 404],
      ['webhook-signature-invalid', 401],
      ['webhook-stale', 401],
      ['webhook-replayed', 409],
      ['webhook-application-mismatch', 403],
      ['webhook-malformed', 400],
    ] as const) {
      const refuse = async () => ({ status, body: null, code })
      const gateway = await bench.gateway({ networks: { trtc: facets({ webhook: refuse }) } })
      expect(await call(gateway.url, 'POST', '/hooks/trtc/s', {})).toMatchObject({ status, body: { code } })
      const metrics = await call(gateway.url, 'GET', '/metrics')
      expect(metrics.body).toContain(
        `causeway_webhooks_total{network="trtc",outcome="refused",code="${code}"} 1`,
      )
    }
  })

  it('are to be sent again when the adapter cannot take them now', async () => {
    const busy = async () => ({ status: 503, body: null })
    const gateway = await bench.gateway({ networks: { trtc: facets({ webhook: busy }) } })
    expect(await call(gateway.url, 'POST', '/hooks/trtc/s', {})).toMatchObject({
      status: 503,
      body: { code: 'network-unavailable' },
    })
    const metrics = await call(gateway.url, 'GET', '/metrics')
    expect(metrics.body).toContain('causeway_webhooks_total{network="trtc",outcome="failed",code="none"} 1')
  })

  it('of strangers are not looked at for long', async () => {
    let looks = 0
    const refuse = async () => {
      looks++
      return { status: 404, body: null, code: 'webhook-secret-invalid' }
    }
    const gateway = await bench.gateway({
      networks: { trtc: facets({ webhook: refuse }) },
      limits: { signInsPerMinute: 3 },
    })
    const statuses: number[] = []
    for (let n = 0; n < 5; n++)
      statuses.push((await call(gateway.url, 'POST', '/hooks/trtc/guess', {})).status)
    expect(statuses).toEqual([404, 404, 404, 429, 429])
    expect(looks).toBe(3)
  })

  it('may not be larger than their limit, and failures stay inside', async () => {
    const fail = () => Promise.reject(new Error('private detail'))
    const gateway = await bench.gateway({
      networks: { trtc: facets({ webhook: fail }) },
      limits: { webhookBodyBytes: 100 },
    })
    expect(await call(gateway.url, 'POST', '/hooks/trtc/s', { long: 'x'.repeat(100) })).toMatchObject({
      status: 413,
      body: { code: 'body-too-large' },
    })
    const answer = await call(gateway.url, 'POST', '/hooks/trtc/s', {})
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal-error' } })
    expect(JSON.stringify(answer.body)).not.toContain('private')
  })
})

describe('credentials', () => {
  it('are issued for the wallet’s own endpoint', async () => {
    const issue = async () => ({ sdkAppId: 1, userId: 'u', userSig: 's', expiresAt: 2 })
    const gateway = await bench.gateway({ networks: { trtc: facets({ issue }) } })
    const alice = await gateway.signIn()
    expect(await alice.call('POST', '/v1/networks/trtc/credentials', {})).toMatchObject({
      status: 200,
      body: { userSig: 's' },
    })
    expect(await call(gateway.url, 'POST', '/v1/networks/trtc/credentials', {})).toMatchObject({
      status: 401,
    })
    await alice.call('PUT', `/v1/wallets/${encodeURIComponent(alice.wallet)}/endpoints/trtc`, {
      enabled: false,
    })
    expect(await alice.call('POST', '/v1/networks/trtc/credentials', {})).toMatchObject({
      status: 409,
      body: { code: 'endpoint-missing' },
    })
  })

  it('tell a network’s refusals apart', async () => {
    for (const [error, status, code] of [
      [new AdapterError('rateLimited', 'slow down', { retryAfterMs: 2_500 }), 503, 'network-rate-limited'],
      [new AdapterError('retryable', 'no route'), 503, 'network-unavailable'],
      [new AdapterError('permanent', 'no'), 502, 'network-failed'],
    ] as const) {
      const gateway = await bench.gateway({
        networks: { trtc: facets({ issue: () => Promise.reject(error) }) },
      })
      const alice = await gateway.signIn()
      const answer = await alice.call('POST', '/v1/networks/trtc/credentials', {})
      expect(answer).toMatchObject({ status, body: { code } })
      expect(answer.headers.get('retry-after')).toBe(code === 'network-rate-limited' ? '3' : null)
    }
  })
})

describe('readiness', () => {
  it('needs a network that has not failed, and a store that writes', async () => {
    const gateway = await bench.gateway({
      networks: { trtc: facets({ state: 'badCredentials' }) },
      replace: ({ store }) => ({ store: { ...store, probe: () => Promise.reject(new Error('disk gone')) } }),
    })
    expect(await call(gateway.url, 'GET', '/readyz')).toMatchObject({
      status: 503,
      body: {
        ready: false,
        parts: { store: 'failed', 'network:waku': 'connected', 'network:trtc': 'badCredentials' },
      },
    })
    const networks = await call(gateway.url, 'GET', '/v1/networks')
    expect(networks.body.networks[1]).toMatchObject({
      network: 'trtc',
      state: 'badCredentials',
      userAction: 'do something',
      address: 'gateway-user',
    })
    expect((await call(gateway.url, 'GET', '/healthz')).status).toBe(200)
  })

  it('probes the store once for many who ask', async () => {
    let probes = 0
    const gateway = await bench.gateway({
      replace: ({ store }) => ({
        store: {
          ...store,
          probe: async () => {
            probes++
          },
        },
      }),
    })
    await Promise.all(Array.from({ length: 20 }, () => call(gateway.url, 'GET', '/readyz')))
    expect(probes).toBeLessThanOrEqual(2)
  })
})

describe('operators’ routes', () => {
  const adminToken = 'an-admin-token-of-some-length'
  const authorization = `Bearer ${adminToken}`

  it('need the exact token', async () => {
    const gateway = await bench.gateway({ settings: { adminToken } })
    const alice = await gateway.signIn()
    for (const header of [
      undefined,
      'Bearer x',
      `Bearer ${adminToken}x`,
      `Bearer ${adminToken.slice(1)}`,
      `Bearer ${alice.token}`,
    ]) {
      const answer = await call(
        gateway.url,
        'GET',
        '/v1/admin/deliveries',
        undefined,
        header ? { authorization: header } : {},
      )
      expect(answer).toMatchObject({ status: 401, body: { code: 'admin-token-invalid' } })
    }
    const inbox = await call(gateway.url, 'GET', '/v1/inbox', undefined, { authorization })
    expect(inbox).toMatchObject({ status: 401, body: { code: 'session-invalid' } })
  })

  it('list deliveries, replay a dead one, restart a network', async () => {
    let refuse = true
    const send: Adapter['send'] = async () => {
      if (refuse) throw new AdapterError('permanent', 'no such user')
      return { remoteIds: ['r1'] }
    }
    const gateway = await bench.gateway({ settings: { adminToken }, networks: { trtc: facets({ send }) } })
    const [alice, bob] = [await gateway.signIn(), await gateway.signIn()]
    const { id, bytes } = await seal(alice.person, [bob.person])
    await alice.call('POST', '/v1/envelopes', bytes)
    const list = async (query: string) =>
      (await call(gateway.url, 'GET', `/v1/admin/deliveries${query}`, undefined, { authorization })).body
    await expect
      .poll(async () => (await list('?state=dead&network=trtc')).deliveries.length, { timeout: 10_000 })
      .toBe(1)
    const [dead] = (await list('?state=dead')).deliveries
    expect(dead).toMatchObject({ envelopeId: toHex(id), wallet: bob.wallet, network: 'trtc', state: 'dead' })
    const page = await list('?limit=1')
    expect(page.deliveries).toHaveLength(1)
    expect((await list(`?limit=1&before=${page.next}`)).deliveries[0].id).toBeLessThan(page.deliveries[0].id)
    refuse = false
    const replayed = await call(
      gateway.url,
      'POST',
      `/v1/admin/deliveries/${dead.id}/replay`,
      {},
      { authorization },
    )
    expect(replayed).toMatchObject({ status: 200, body: { id: dead.id, network: 'trtc' } })
    await expect
      .poll(async () => (await list('?network=trtc')).deliveries[0].state, { timeout: 10_000 })
      .toBe('acknowledged')
    const again = await call(
      gateway.url,
      'POST',
      `/v1/admin/deliveries/${dead.id}/replay`,
      {},
      { authorization },
    )
    expect(again).toMatchObject({ status: 409, body: { code: 'delivery-not-replayable' } })
    const unknown = await call(
      gateway.url,
      'POST',
      '/v1/admin/deliveries/999999/replay',
      {},
      { authorization },
    )
    expect(unknown).toMatchObject({ status: 404, body: { code: 'delivery-unknown' } })
    const restarted = await call(
      gateway.url,
      'POST',
      '/v1/admin/networks/trtc/restart',
      {},
      { authorization },
    )
    expect(restarted).toMatchObject({ status: 202, body: { network: 'trtc' } })
    const nowhere = await call(gateway.url, 'POST', '/v1/admin/networks/xmtp/restart', {}, { authorization })
    expect(nowhere).toMatchObject({ status: 404, body: { code: 'network-unknown' } })
  })
})
