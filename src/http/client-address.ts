import type { IncomingMessage } from 'node:http'
import { isIPv4, isIPv6, type Socket } from 'node:net'

/**
 * Whom an anonymous request is counted against. The address of the connection; behind a trusted proxy the last entry of
 * `X-Forwarded-For`, which is the one that the proxy itself appended. IPv6 counts by /64, because one host has that many.
 */
export function clientAddress(incoming: IncomingMessage | undefined, trustProxy: boolean): string {
  if (!incoming) return normalise('')
  const forwarded = trustProxy ? lastForwarded(incoming.headers['x-forwarded-for']) : undefined
  return forwarded === undefined ? connectionAddress(incoming.socket) : normalise(forwarded)
}

/** Addresses of open connections, each of which carries many requests. */
const known = new WeakMap<Socket, string>()

function connectionAddress(connection: Socket): string {
  let address = known.get(connection)
  if (address === undefined) {
    address = normalise(connection.remoteAddress ?? '')
    known.set(connection, address)
  }
  return address
}

function lastForwarded(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(',') : header
  return text?.split(',').at(-1)?.trim() || undefined
}

function normalise(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped && isIPv4(mapped)) return mapped
  if (isIPv4(address)) return address
  const bare = address.replace(/%.*$/, '')
  return isIPv6(bare) ? `${networkPrefix(bare)}::/64` : 'unknown'
}

/** First four groups of an IPv6 address, written out. */
function networkPrefix(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('::')
  const first = head === '' ? [] : head.split(':')
  const last = tail ? tail.split(':') : []
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length)
  const groups = [...first, ...Array<string>(zeros).fill('0'), ...last]
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
