import { describe, expect, it } from 'vitest'
import { createMetrics, renderMetricsReference } from './metrics.ts'

describe('metrics', () => {
  it('counts every stage', async () => {
    const metrics = createMetrics()
    metrics.request('/v1/inbox', 'GET', 200, 12)
    metrics.accepted('http', 'accepted', null, 1.5)
    metrics.accepted('waku', 'refused', 'envelope-malformed', 0.2)
    metrics.dispatched('trtc', 'acknowledged', 40)
    metrics.reconciled('waku', 7, 2)
    metrics.networkState('waku', { state: 'connecting' })
    metrics.networkState('waku', { state: 'connected' })
    metrics.rateLimited('wallet')
    metrics.webhook('trtc', 'refused', 'webhook-signature-invalid')
    metrics.streamCut('sse', 'slow')
    const text = await metrics.render()
    for (const line of [
      'causeway_http_requests_total{route="/v1/inbox",method="GET",status="200"} 1',
      'causeway_accepts_total{via="http",outcome="accepted",code="none"} 1',
      'causeway_accepts_total{via="waku",outcome="refused",code="envelope-malformed"} 1',
      'causeway_dispatches_total{network="trtc",outcome="acknowledged"} 1',
      'causeway_reconciled_frames_total{network="waku",result="heard"} 7',
      'causeway_reconciled_frames_total{network="waku",result="accepted"} 2',
      'causeway_network_state{network="waku",state="connected"} 1',
      'causeway_network_state{network="waku",state="connecting"} 0',
      'causeway_http_rate_limited_total{scope="wallet"} 1',
      'causeway_webhooks_total{network="trtc",outcome="refused",code="webhook-signature-invalid"} 1',
      'causeway_streams_cut_total{transport="sse",reason="slow"} 1',
      'process_cpu_seconds_total',
    ]) {
      expect(text).toContain(line)
    }
  })

  it('reads the store at scrape time, once for scrapes that come together', async () => {
    const metrics = createMetrics()
    let reads = 0
    metrics.watch({
      subscribers: () => 3,
      statistics: async () => {
        reads++
        return {
          envelopes: 5,
          wallets: 2,
          bytes: 4096,
          deliveries: [{ network: 'trtc', state: 'dead' as const, count: 1 }],
        }
      },
    })
    const [text] = await Promise.all([metrics.render(), metrics.render()])
    expect(text).toContain('causeway_deliveries{network="trtc",state="dead"} 1')
    expect(text).toContain('causeway_store_bytes 4096')
    expect(text).toContain('causeway_live_subscribers 3')
    expect(reads).toBe(1)
  })

  it('answers although the store does not', async () => {
    const metrics = createMetrics()
    metrics.watch({ subscribers: () => 1, statistics: () => Promise.reject(new Error('closed')) })
    const text = await metrics.render()
    expect(text).toContain('causeway_store_up 0')
    expect(text).toContain('causeway_live_subscribers 1')
  })

  it('does not grow with what callers send', async () => {
    const metrics = createMetrics()
    for (let index = 0; index < 5_000; index++) {
      metrics.request(`/made-up/${index}`, `M${index}`, 404, 1)
      metrics.webhook(`network-${index}`, 'refused', `code-${index}`)
    }
    const series = (await metrics.render())
      .split('\n')
      .filter((line) => line.startsWith('causeway_http_requests_total{'))
    expect(series.length).toBeLessThan(200)
    expect((await metrics.render()).length).toBeLessThan(300_000)
  })

  it('documents every metric of its own', () => {
    const reference = renderMetricsReference()
    for (const { name } of createMetrics().describe()) expect(reference).toContain(`\`${name}\``)
  })
})
