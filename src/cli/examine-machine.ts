/** What `causeway doctor` looks at besides the networks. Changes nothing. */
import { access, constants, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import type { Finding } from '../adapter/index.ts'
import type { Config } from '../config/index.ts'
import { type FoundGateway, findGateway } from './find-gateway.ts'

export function examineNode(): Finding {
  const major = Number(process.versions.node.split('.')[0])
  const good = major >= 24
  return {
    check: 'node',
    status: good ? 'ok' : 'error',
    message: `runs on Node ${process.versions.node}`,
    ...(good ? {} : { fix: 'run it through npm (npm start), which brings Node 24, or install Node 24' }),
  }
}

/** Whether the folder can be written, or made where it does not exist yet. `null`: a temporary one is used. */
export async function examineDataDirectory(path: string | null): Promise<Finding> {
  if (path === null) return { check: 'data', status: 'ok', message: 'a temporary folder is used (sandbox)' }
  try {
    const existing = await nearestExisting(resolve(path))
    if (!(await stat(existing)).isDirectory())
      throw Object.assign(new Error('no folder'), { code: 'ENOTDIR' })
    await access(existing, constants.R_OK | constants.W_OK | constants.X_OK)
    const made = existing === resolve(path) ? '' : ', and will be made'
    return { check: 'data', status: 'ok', message: `${path} can be written${made}` }
  } catch (error) {
    return {
      check: 'data',
      status: 'error',
      message: `${path} cannot be written (${(error as NodeJS.ErrnoException).code})`,
      fix: 'give the gateway’s user write access, or set data.directory',
    }
  }
}

async function nearestExisting(path: string): Promise<string> {
  try {
    await stat(path)
    return path
  } catch (error) {
    const above = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error
    return nearestExisting(above)
  }
}

/** Whether the port is free; with the gateway that runs there, if it is one. */
export async function examinePort({
  server,
}: Pick<Config, 'server'>): Promise<{ finding: Finding; gateway: FoundGateway | null }> {
  const { host, port } = server
  const code = await codeOfListening(host, port)
  if (code === null)
    return { finding: { check: 'port', status: 'ok', message: `${host}:${port} is free` }, gateway: null }
  const gateway = code === 'EADDRINUSE' ? await findGateway(host, port) : null
  if (gateway) {
    const { url, info } = gateway
    const message = `a gateway runs at ${url} (version ${info.version}); its networks are shown, no second one is started`
    return { finding: { check: 'port', status: 'ok', message }, gateway }
  }
  return {
    finding: {
      check: 'port',
      status: 'error',
      message: `${host}:${port} cannot be listened on (${code})`,
      fix:
        code === 'EADDRINUSE'
          ? 'end the other program that listens there, or set server.port'
          : 'set server.host and server.port to what this machine has',
    },
    gateway: null,
  }
}

function codeOfListening(host: string, port: number): Promise<string | null> {
  return new Promise((done) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message))
    server.listen(port, host, () => server.close(() => done(null)))
  })
}
