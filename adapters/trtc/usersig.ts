/**
 * UserSig version 2: the signature with which a user, or the administrator, proves itself to Tencent Chat.
 *
 * It is the JSON document `{TLS.ver, TLS.identifier, TLS.sdkappid, TLS.time, TLS.expire, TLS.sig}`, deflated by zlib and
 * written in base64 with `+ / =` replaced by `* - _`. `TLS.sig` is an HMAC-SHA256 over the other fields.
 * Source: https://www.tencentcloud.com/document/product/1047/34385
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { deflateSync, inflateSync } from 'node:zlib'
import { z } from 'zod'

export interface UserSigOptions {
  sdkAppId: number
  /** SecretKey of the app, as the console shows it. */
  secretKey: string
  userId: string
  /** Seconds for which the signature holds, counted from `now`. */
  lifetimeSeconds: number
  /** Unix milliseconds. */
  now: number
}

/** Makes a UserSig. The same input gives the same text. */
export function makeUserSig(options: UserSigOptions): string {
  const time = Math.floor(options.now / 1000)
  const document = {
    'TLS.ver': '2.0',
    'TLS.identifier': options.userId,
    'TLS.sdkappid': options.sdkAppId,
    'TLS.time': time,
    'TLS.expire': options.lifetimeSeconds,
    'TLS.sig': signature(options.secretKey, options.userId, options.sdkAppId, time, options.lifetimeSeconds),
  }
  return deflateSync(Buffer.from(JSON.stringify(document)))
    .toString('base64')
    .replaceAll('+', '*')
    .replaceAll('/', '-')
    .replaceAll('=', '_')
}

/** Documented refusals: 70001 expired, 70003 unreadable, 70009 other key, 70013 other user, 70014 other app. */
export type UserSigRefusal = 70001 | 70003 | 70009 | 70013 | 70014

const documentSchema = z.object({
  'TLS.identifier': z.string(),
  'TLS.sdkappid': z.number().int(),
  'TLS.time': z.number().int(),
  'TLS.expire': z.number().int(),
  'TLS.sig': z.string(),
})

/** Checks a UserSig as the service does. Returns 0 when it holds, else the service's error code. */
export function verifyUserSig(options: {
  sdkAppId: number
  secretKey: string
  userId: string
  userSig: string
  /** Unix milliseconds. */
  now: number
}): 0 | UserSigRefusal {
  const document = readDocument(options.userSig)
  if (!document) return 70003
  if (document['TLS.identifier'] !== options.userId) return 70013
  if (document['TLS.sdkappid'] !== options.sdkAppId) return 70014
  const expected = Buffer.from(
    signature(
      options.secretKey,
      options.userId,
      options.sdkAppId,
      document['TLS.time'],
      document['TLS.expire'],
    ),
  )
  const given = Buffer.from(document['TLS.sig'])
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return 70009
  if (Math.floor(options.now / 1000) > document['TLS.time'] + document['TLS.expire']) return 70001
  return 0
}

function signature(
  secretKey: string,
  userId: string,
  sdkAppId: number,
  time: number,
  lifetime: number,
): string {
  return createHmac('sha256', secretKey)
    .update(`TLS.identifier:${userId}\nTLS.sdkappid:${sdkAppId}\nTLS.time:${time}\nTLS.expire:${lifetime}\n`)
    .digest('base64')
}

/** Null for anything that is not a UserSig document. The output cap keeps a small text from inflating without end. */
function readDocument(userSig: string): z.output<typeof documentSchema> | null {
  const base64 = userSig.replaceAll('*', '+').replaceAll('-', '/').replaceAll('_', '=')
  try {
    const json: unknown = JSON.parse(
      inflateSync(Buffer.from(base64, 'base64'), { maxOutputLength: 4096 }).toString('utf8'),
    )
    return documentSchema.safeParse(json).data ?? null
  } catch {
    return null // not base64, not zlib or not JSON: all mean that it is no UserSig
  }
}
