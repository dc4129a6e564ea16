/** The gateway's own inbox from opening to closing. */
import type { AdapterContext } from '../../src/adapter/index.ts'
import type { BackendPool } from './backends.ts'
import { envelopeCodec } from './codec.ts'
import type { XmtpConfig } from './config.ts'
import { type InstallationMemory, locateDatabase, rememberInstallation, setAside } from './database.ts'
import { XmtpError } from './errors.ts'
import { XmtpInbox } from './inbox.ts'
import type { Limiter } from './limiter.ts'
import { loadSdk, type Sdk } from './sdk.ts'
import { Sender } from './sender.ts'
import { type GatewayWallet, identifierOf } from './wallet.ts'

export interface SessionParts {
  config: XmtpConfig
  context: AdapterContext
  wallet: GatewayWallet
  pool: BackendPool
  publishes: Limiter | null
  /** Done at each start, before the inbox is opened. */
  prepare?: () => Promise<void>
  /** Default: the real SDK. */
  load?: () => Promise<Sdk>
}

export interface Session {
  readonly inbox: XmtpInbox
  readonly sender: Sender
  readonly installations: InstallationMemory
  close(): Promise<void>
}

/** Opens the gateway's inbox. Rejects with `XmtpError`; nothing is left open then. */
export async function openSession(parts: SessionParts, signal: AbortSignal): Promise<Session> {
  const { config, context, wallet, pool } = parts
  const sdk = await loadSdk(parts.load)
  const directory = config.databaseDirectory ?? (await context.directory())
  const file = await locateDatabase(directory, config.environment, wallet.inboxId)
  const { shared, release } = await pool.acquire(sdk)
  try {
    if (file.exists && config.environment === 'local') await leaveOtherNode(sdk, shared.backend)
    const inbox = await XmtpInbox.open({
      sdk,
      shared,
      signer: wallet.signer,
      databasePath: file.path,
      databaseKey: config.databaseKey ? Buffer.from(config.databaseKey.slice(2), 'hex') : wallet.databaseKey,
      codecs: [envelopeCodec],
    })
    return await admitted(inbox)
  } catch (error) {
    release()
    throw error
  }

  /** A local node that was made anew knows nothing of the inbox, and its database would never learn that. */
  async function leaveOtherNode(loaded: Sdk, backend: typeof shared.backend): Promise<void> {
    if ((await loaded.getInboxIdForIdentifier(backend, identifierOf(wallet.address))) !== null) return
    const aside = await setAside(file.path, `of-another-node-${context.clock.now()}`)
    context.log.warn({ aside }, 'the local XMTP node does not know this inbox; its database was set aside')
  }

  async function admitted(inbox: XmtpInbox): Promise<Session> {
    try {
      await requireAuthorized(inbox, signal)
      const installations = await rememberInstallation(context.storage, inbox.inboxId, inbox.installationId)
      if (installations.lost.length > 0 && !file.exists) {
        context.log.warn(
          { lost: installations.lost.length },
          'the XMTP database was lost: a new installation was registered, and messages to the old one cannot be read',
        )
      }
      const closed = new AbortController()
      return {
        inbox,
        sender: new Sender(inbox, parts.publishes, context.clock, closed.signal),
        installations,
        async close() {
          closed.abort(new XmtpError('closed', 'The XMTP inbox was closed'))
          await inbox.close()
          release()
        },
      }
    } catch (error) {
      await inbox.close()
      throw error
    }
  }
}

/** Throws `installation-revoked` when the network does not count this installation to the inbox. */
export async function requireAuthorized(inbox: XmtpInbox, signal: AbortSignal): Promise<void> {
  const { installations } = await inbox.state(signal)
  if (installations.some(({ id }) => id === inbox.installationId)) return
  throw new XmtpError('installation-revoked', 'The network does not count this installation to the inbox')
}
