import { describe, expect, it } from 'vitest'
import type { Finding } from '../../src/adapter/index.ts'
import { configSchema } from './config.ts'
import { createDoctor } from './doctor.ts'
import { PushError } from './errors.ts'
import { neverAborted } from './testing.ts'

const walletKey = '1'.repeat(64)
const nothingOmitted = {
  'badly-signed': 0,
  undecryptable: 0,
  plaintext: 0,
  'untrusted-sender': 0,
  'not-a-frame': 0,
}
type Parts = Parameters<typeof createDoctor>[0]

/** A doctor of an adapter that answers as it is told, without any network. */
function examine(
  change: Record<string, unknown> = {},
  config: Record<string, unknown> = {},
): Promise<Finding[]> {
  const parts = {
    config: configSchema.parse({ walletKey, ...config }),
    connection: { state: () => 'connected' },
    account: { did: 'eip155:0x…', isUnlocked: () => true },
    profiles: { forget() {}, lookUp: async () => ({}), refusals: () => ({}) },
    reader: { omissions: () => nothingOmitted },
    rest: { clockOffsetMs: () => 0 },
    channel: null,
    ...change,
  }
  return createDoctor(parts as unknown as Parts).examine(neverAborted)
}

const of = (findings: Finding[], check: string) => findings.filter((finding) => finding.check === check)

describe('the doctor', () => {
  it('says that whether the public service goes on is uncertain, though all else is well', async () => {
    const findings = await examine()
    expect(of(findings, 'service')).toEqual([
      {
        check: 'service',
        status: 'warning',
        message: expect.stringContaining('has not been maintained since'),
        fix: expect.stringContaining('Do not make Push the only network'),
      },
    ])
    expect(findings.filter(({ status }) => status !== 'ok')).toHaveLength(1)
  })

  it('says nothing of the public service where another address is configured', async () => {
    const [service] = of(await examine({}, { url: 'http://127.0.0.1:4000/apis' }), 'service')
    expect(service?.status).toBe('ok')
  })

  it('names the host that cannot be reached', async () => {
    const profiles = {
      forget() {},
      lookUp: async () => Promise.reject(new PushError('unreachable', 'The Push service cannot be reached')),
      refusals: () => ({}),
    }
    const [finding] = of(await examine({ profiles }), 'reachability')
    expect(finding).toMatchObject({ status: 'error', fix: expect.stringContaining('backend.epns.io') })
  })

  it('tells of keys and messages that were refused', async () => {
    const profiles = { forget() {}, lookUp: async () => ({}), refusals: () => ({ 'key-unverified': 2 }) }
    const reader = { omissions: () => ({ ...nothingOmitted, 'badly-signed': 1 }) }
    const findings = await examine({ profiles, reader })
    expect(of(findings, 'keys')[0]?.message).toContain('2 times (key-unverified)')
    expect(of(findings, 'messages')).toHaveLength(1)
  })

  it.each([
    ['known, with its own key', { exists: async () => true, isOwner: true }, 'ok'],
    ['known, with another key', { exists: async () => true, isOwner: false }, 'warning'],
    ['not known', { exists: async () => false, isOwner: true }, 'error'],
    [
      'not to be asked for',
      { exists: () => Promise.reject(new PushError('timed-out', 'no answer')), isOwner: true },
      'warning',
    ],
  ])('looks at a channel that is %s', async (_what, channel, status) => {
    expect(of(await examine({ channel }), 'channel').map((finding) => finding.status)).toEqual([status])
  })
})
