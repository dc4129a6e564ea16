import { deflateSync, inflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { makeUserSig, verifyUserSig } from './usersig.ts'

/** App id and key that Tencent's own libraries use in their tests. */
const app = {
  sdkAppId: 1400000000,
  secretKey: '5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e',
}
const now = 1_700_000_000_000
const signed = makeUserSig({ ...app, userId: 'xiaojun', lifetimeSeconds: 86_400, now })
const verify = (changes: Partial<Parameters<typeof verifyUserSig>[0]>) =>
  verifyUserSig({ ...app, userId: 'xiaojun', userSig: signed, now, ...changes })

const read = (userSig: string) =>
  inflateSync(
    Buffer.from(userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '='), 'base64'),
  ).toString()

describe('UserSig', () => {
  // Made by Python's hmac, json and zlib. Two deflaters may write one document in two ways, so the documents are compared.
  const independent =
    'eJyrVgrxCdYrSy1SslIy0jNQ0gHzM1NS80oy0zLBwhWZiflZpXlQqeKU7MSCgswUJStDEwMogMiUZOamAkXNUUVTKwoyi4DiFmYmMKHizHSgscF*biZuuWHOAaXJ*RHFTv4FSWFuxmluzmmm5l4BuQapVVGGWalhnj45Ycm2SrUAGRkxcA__'

  it('holds the document that an independent implementation makes', () => {
    expect(read(signed)).toBe(read(independent))
    expect(JSON.parse(read(signed))).toMatchObject({
      'TLS.time': 1_700_000_000,
      'TLS.sig': 'SNF4FmVCPucoXsBOpbVF3fFCf57JPm0ezZ1jeVILlVc=',
    })
    expect(verify({ userSig: independent })).toBe(0)
  })

  it('holds until it expires', () => {
    expect(verify({})).toBe(0)
    expect(verify({ now: now + 86_400_000 })).toBe(0)
    expect(verify({ now: now + 86_401_000 })).toBe(70001)
  })

  it('is refused with the documented code for another key, user or app', () => {
    expect(verify({ secretKey: 'f'.repeat(64) })).toBe(70009)
    expect(verify({ userId: 'xiaohong' })).toBe(70013)
    expect(verify({ sdkAppId: 1400000001 })).toBe(70014)
  })

  it('is refused as unreadable when it is not a UserSig', () => {
    for (const userSig of ['', 'abc', signed.slice(5), `${signed.slice(0, 40)}****`]) {
      expect(verify({ userSig })).toBe(70003)
    }
    const bomb = deflateSync(Buffer.alloc(1 << 20))
    expect(verify({ userSig: bomb.toString('base64').replaceAll('+', '*').replaceAll('/', '-') })).toBe(70003)
    expect(verify({ userSig: deflateSync('{"TLS.ver":"2.0"}').toString('base64') })).toBe(70003)
  })
})
