/** Notes every way out of this process: connections, datagrams, name look-ups. What is noted still happens. */
import dgram from 'node:dgram'
import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'

export interface Attempt {
  kind: 'connect' | 'datagram' | 'lookup'
  /** `host:port`, a path of a local socket, or a name. */
  target: string
}

type Method = (this: unknown, ...parameters: unknown[]) => unknown

/**
 * Starts to watch; `note` hears of each attempt before it is made. `node:net`, `node:dns` and `node:dgram` are what every client
 * of Node ends at: `fetch`, `http`, `tls`, `ws`, libp2p.
 */
export function watchEgress(note: (attempt: Attempt) => void): void {
  hook(net.Socket.prototype, 'connect', (parameters) => {
    note({ kind: 'connect', target: connectTarget(parameters) })
  })
  hook(dgram.Socket.prototype, 'send', (parameters) => {
    note({ kind: 'datagram', target: parameters.filter((value) => typeof value !== 'object').join(':') })
  })
  const lookUp = ([name]: unknown[]) => note({ kind: 'lookup', target: String(name) })
  for (const holder of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
    const names = Object.getOwnPropertyNames(holder).filter((name) => /^(lookup|resolve|reverse)/.test(name))
    for (const name of names) hook(holder, name, lookUp)
  }
  syncBuiltinESMExports()
}

function hook(holder: object, name: string, before: (parameters: unknown[]) => void): void {
  const methods = holder as Record<string, Method>
  const original = methods[name]
  if (typeof original !== 'function') return
  methods[name] = Object.assign(function (this: unknown, ...parameters: unknown[]) {
    before(parameters)
    return original.apply(this, parameters)
  }, original)
}

/** Parameters of `net.Socket#connect`: options, port and host, a path, or the list of these that Node makes itself. */
function connectTarget(parameters: unknown[]): string {
  const [first, second] = Array.isArray(parameters[0]) ? (parameters[0] as unknown[]) : parameters
  if (typeof first === 'object' && first !== null) {
    const { path, host = 'localhost', port } = first as { path?: string; host?: string; port?: number }
    return path ?? `${host}:${port}`
  }
  if (typeof first === 'string' && Number.isNaN(Number(first))) return first
  return `${typeof second === 'string' ? second : 'localhost'}:${String(first)}`
}
