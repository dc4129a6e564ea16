import { randomBytes } from 'node:crypto'
import { makeError, Wallet } from 'ethers'
import { describe, expect, it } from 'vitest'
import { createLog, type Log } from './log.ts'
import { scrub } from './scrub.ts'

const privateKey = `0x${'4f3edf983ac636a65a842ce7c78d9aa706d3b113bce9c46f30d7d21715b23b1d'}`
const bare = privateKey.slice(2)

function capture(pretty = false): { log: Log; text: () => string } {
  const lines: string[] = []
  const log = createLog({ level: 'trace', destination: { write: (line) => lines.push(line) }, pretty })
  return { log, text: () => lines.join('') }
}

/** Writes through a fresh log and returns the whole output. */
function written(write: (log: Log) => void): string {
  const { log, text } = capture()
  write(log)
  for (const line of text().trimEnd().split('\n')) JSON.parse(line)
  return text()
}

it('leaves the address of a libp2p node whole: its id is a public key', () => {
  const address = '/ip4/127.0.0.1/tcp/8000/ws/p2p/12D3KooWHNyGUJ7SSsPy7ofCrDWmc719XNAkD6ZvYQXfiXtsKRoo'
  expect(written((log) => log.info({ address }, 'listening'))).toContain(address)
  expect(scrub(`/p2p/${randomBytes(40).toString('base64url')}`)).toBe('/p2p/[secret]')
})

describe('the nine places where secrets leak into logs', () => {
  const cases: [string, (log: Log, secret: string) => void][] = [
    ['a field', (log, secret) => log.info({ key: secret }, 'x')],
    ['one level down', (log, secret) => log.info({ wallet: { key: secret } }, 'x')],
    ['two levels down', (log, secret) => log.info({ a: { wallet: { key: secret } } }, 'x')],
    ['an array', (log, secret) => log.info({ keys: ['a', { secret }, secret] }, 'x')],
    ['the text', (log, secret) => log.info({}, `signing with ${secret} now`)],
    ['the message of an error', (log, secret) => log.error({ err: new Error(`bad key ${secret}`) }, 'x')],
    [
      'extra properties of an error',
      (log, secret) =>
        log.error(
          { err: Object.assign(new Error('failed'), { info: { payload: { params: [secret] } } }) },
          'x',
        ),
    ],
    [
      'the cause of an error',
      (log, secret) => log.error({ err: new Error('outer', { cause: new Error(`inner ${secret}`) }) }, 'x'),
    ],
    [
      'the query of a URL',
      (log, secret) => log.info({ url: `https://api.example/v4?usersig=${secret}&x=1` }, 'x'),
    ],
  ]
  const secrets: Record<string, string> = {
    'private key': privateKey,
    'private key without 0x': bare,
    'private key in upper case': bare.toUpperCase(),
    'base64url token': randomBytes(32).toString('base64url'),
    'base64 secret': Buffer.from(bare, 'hex').toString('base64'),
    'JSON Web Token': `eyJhbGciOiJIUzI1NiJ9.${Buffer.from('{"sub":"1"}').toString('base64url')}.c2lnbmF0dXJl`,
    UserSig: 'eJwtzMEKgkAUheF3mXXIvToz6kCLCCwo2kS0iWjKsS6mTToVEb17kXZ5*D*-*-',
    'wallet address': '0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1',
  }
  for (const [place, write] of cases) {
    for (const [kind, secret] of Object.entries(secrets)) {
      it(`${place}: ${kind}`, () => expect(written((log) => write(log, secret))).not.toContain(secret))
    }
  }
})

describe('more places', () => {
  const token = 'tok_live_short'
  it('bindings of a child', () => {
    expect(written((log) => log.child({ key: bare }).info({}, 'x'))).not.toContain(bare)
  })
  it('a short token behind its name, as JSON, as JSON in a string, in a query, as a header', () => {
    const output = written((log) => {
      log.info({ deep: { userSig: token, TOKEN: token } }, 'x')
      log.info(
        { body: JSON.stringify({ token }), twice: JSON.stringify({ a: JSON.stringify({ token }) }) },
        'x',
      )
      log.info({ url: `/v1?token=${token}&after=1` }, 'x')
      log.info({}, `authorization: Bearer ${token}`)
    })
    expect(output).not.toContain(token)
    expect(output).toContain('after=1')
  })
  it('bytes that became numbers', () => {
    const bytes = Buffer.from(bare, 'hex')
    const output = written((log) => {
      log.info({ buffer: bytes, array: new Uint8Array(bytes), numbers: [...bytes] }, 'x')
    })
    expect(output).not.toContain([...bytes].slice(0, 6).join(','))
    expect(output).not.toContain('"5":')
  })
  it('webhook paths', () => {
    expect(written((log) => log.info({ path: '/hooks/trtc/abc123?Sign=ff' }, 'x'))).not.toContain('abc123')
  })
  it('the errors of ethers', () => {
    const error = makeError('could not coalesce error', 'UNKNOWN_ERROR', {
      error: { message: 'no' },
      payload: { method: 'eth_sendRawTransaction', params: ['short-secret'] },
    })
    const output = written((log) => log.error({ err: error }, 'x'))
    expect(output).not.toContain('short-secret')
    expect(output).toContain('could not coalesce error')
    expect(output).toContain('UNKNOWN_ERROR')
  })
  it('a wallet object', () => {
    const wallet = new Wallet(privateKey)
    const output = written((log) => log.info({ wallet, signing: wallet.signingKey }, 'x'))
    expect(output).not.toContain(bare)
    expect(output).not.toContain(wallet.address)
  })
  it('lines for people', () => {
    const { log, text } = capture(true)
    log.info({ key: bare, network: 'waku' }, 'connected')
    expect(text()).toMatch(/^\d\d:\d\d:\d\d\.\d{3} info {2}connected key=\[hex\] network=waku\n$/)
  })
})

describe('what must stay readable', () => {
  it('short ids, times, transaction ids, codes, stacks', () => {
    const transactionId = '0123456789abcdef0123456789abcdef'
    const output = written((log) => {
      log.info({ id: '9f86d081', at: 1_790_000_000_000, milliseconds: 12.5, transactionId }, 'accepted')
      log.info(
        { code: 'envelope-signature-invalid', route: '/v1/wallets/{wallet}/endpoints/{network}' },
        'refused',
      )
      log.error({ err: new RangeError('out of range') }, 'failed')
    })
    for (const text of ['9f86d081', '1790000000000', '12.5', transactionId, 'envelope-signature-invalid']) {
      expect(output).toContain(text)
    }
    expect(output).toContain('/v1/wallets/{wallet}/endpoints/{network}')
    expect(output).toContain('out of range')
    expect(output).toContain('log.test.ts')
  })
  it('an address keeps its beginning', () => {
    expect(scrub('from 0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1.')).toBe('from 0x90F8….')
    expect(scrub('eip155:*:0x90f8bf6a479f320ead074411a4b0e7944ea8c9c1')).toBe('eip155:*:0x90f8…')
  })
  it('random 32-byte secrets never pass, in any of five encodings', () => {
    for (let round = 0; round < 2000; round++) {
      const secret = randomBytes(32)
      const forms = ['hex', 'base64', 'base64url'].map((form) => secret.toString(form as BufferEncoding))
      for (const form of [...forms, `0x${forms[0]}`, forms[0]!.toUpperCase()]) {
        expect(scrub(JSON.stringify({ text: `value ${form} end` }))).not.toContain(form)
      }
    }
  })
})
