import { type GatewayInfo, readGateway } from '../client/index.ts'

export interface FoundGateway {
  url: string
  info: GatewayInfo
}

const TIMEOUT_MS = 3_000

/** The gateway that answers on a listening address of this machine, or null when none does. */
export async function findGateway(host: string, port: number): Promise<FoundGateway | null> {
  // What listens everywhere is reached on loopback.
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  const url = `http://${name.includes(':') ? `[${name}]` : name}:${port}`
  const brief: typeof fetch = (input, init) =>
    fetch(input, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
  try {
    const info = await readGateway(url, brief)
    return typeof info.id === 'string' && typeof info.publicKey === 'string' ? { url, info } : null
  } catch {
    // Nothing, or another program: whatever it answered, it is no gateway.
    return null
  }
}
