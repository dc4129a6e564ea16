/** Hop mode on XMTP: the gateway is one more installation of a wallet's own inbox. */
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type {
  AdapterContext,
  EnrolledAccount,
  Enrolment,
  EnrolmentFacet,
  EnrolmentTerms,
} from '../../../src/adapter/index.ts'
import { xmtpContents } from '../../../src/content/index.ts'
import { abortable } from '../abortable.ts'
import type { BackendPool } from '../backends.ts'
import { envelopeCodec } from '../codec.ts'
import { toAdapterError, XmtpError } from '../errors.ts'
import { XmtpInbox } from '../inbox.ts'
import { loadSdk, type Sdk } from '../sdk.ts'
import { SendFailure } from '../sender.ts'
import { Ceremony, identityOf, type Opened, verifySignature } from './ceremony.ts'
import { CLOSING_MS, Departures, PATIENCE_MS } from './departures.ts'
import { Member } from './member.ts'
import { People } from './people.ts'
import { SentMessages } from './sent.ts'

const terms: EnrolmentTerms = {
  meaning:
    'The gateway joins this wallet’s XMTP inbox as one of its installations. It reads every message that comes from then on, may write as the wallet, and keeps the keys of its installation encrypted. The wallet can take it off again.',
  handover: 'none',
  groups: true,
}

/** Holds while a folder belongs to an enrolment that was begun and not completed. */
const BEGUN = 'begun'

/** Enrolments that wait for a signature at once. */
const MOST_BEGUN = 100

export interface EnrolmentParts {
  context: AdapterContext
  pool: BackendPool
  /** Default: the real SDK. */
  load?: () => Promise<Sdk>
}

export interface XmtpEnrolments extends EnrolmentFacet {
  /** Removes what a crash left of enrolments that were not completed. */
  sweep(): Promise<void>
  /** Closes every enrolment and forgets the ones that were begun. */
  stop(): Promise<void>
}

export function createEnrolments({ context, pool, load }: EnrolmentParts): XmtpEnrolments {
  const people = new People()
  const ceremonies = new Map<string, Ceremony>()
  const members = new Map<string, Member>()
  /** One that is not in here when it comes was given up, and is closed. */
  const openings = new Map<string, Promise<void>>()
  const departures = new Departures(context)

  const root = async () => join(await context.directory(), 'enrolments')
  const folderOf = async (id: string) => join(await root(), id)

  /** Opens the inbox of a wallet on its folder; the connection is given back when that fails. */
  async function openInbox(
    id: string,
    databaseKey: Uint8Array,
    signer: ReturnType<Ceremony['signer']>,
  ): Promise<Opened> {
    const sdk = await loadSdk(load)
    const folder = await folderOf(id)
    const { shared, release } = await pool.acquire(sdk)
    try {
      const inbox = await XmtpInbox.open({
        sdk,
        shared,
        signer,
        databasePath: join(folder, 'inbox.db3'),
        databaseKey,
        codecs: [envelopeCodec],
      })
      return { sdk, inbox, release }
    } catch (error) {
      release()
      throw error
    }
  }

  async function begin(id: string, account: EnrolledAccount, secret: Uint8Array, signal: AbortSignal) {
    if (account.kind === 'solana-account') {
      throw new XmtpError('address-invalid', 'XMTP knows wallets of EVM chains alone')
    }
    if (ceremonies.size >= MOST_BEGUN) {
      throw new XmtpError('rate-limited', 'Too many enrolments wait for a signature', {
        retryAfterMs: 60_000,
      })
    }
    const databaseKey = secret.slice()
    const folder = await folderOf(id)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(join(folder, BEGUN), '')
    const ceremony = new Ceremony(account, (signer) => openInbox(id, databaseKey, signer))
    ceremonies.set(id, ceremony)
    try {
      return { text: await abortable(ceremony.text, signal) }
    } catch (error) {
      await cancel(id)
      throw error
    }
  }

  async function complete(id: string, signature: string, chainId: number | null, signal: AbortSignal) {
    const ceremony = ceremonies.get(id)
    if (!ceremony)
      throw new XmtpError('enrolment-unknown', 'No such enrolment waits for a signature; begin again')
    verifySignature(ceremony.account, await abortable(ceremony.text, signal), signature)
    ceremony.sign(signature, chainId)
    try {
      const opened = await abortable(ceremony.opened, signal)
      ceremonies.delete(id)
      await rm(join(await folderOf(id), BEGUN), { force: true })
      const member = new Member({ ...opened, context, people, id })
      members.set(id, member)
      return { address: member.inboxId }
    } catch (error) {
      await cancel(id)
      throw error
    }
  }

  async function cancel(id: string): Promise<void> {
    const ceremony = ceremonies.get(id)
    if (!ceremony) return
    ceremonies.delete(id)
    departures.add(id, ceremony.abandon())
    await departures.wait(id)
    await remove(id)
  }

  /** Makes it a member once it is open, unless it was given up before. */
  function start({ id, account, secret }: Enrolment): Promise<void> {
    // The caller wipes its copy when it gives up, and the SDK reads the key later.
    const databaseKey = secret.slice()
    const become = async () => {
      try {
        if (!(await departures.wait(id))) {
          throw new XmtpError('unavailable', 'An earlier client of this enrolment has not closed yet')
        }
        const opened = await open(id, account, databaseKey)
        if (openings.get(id) === opening) {
          members.set(id, new Member({ ...opened, context, people, id }))
          return
        }
        await opened.inbox.close()
        opened.release()
        throw new XmtpError('closed', 'The enrolment was closed while it was opened')
      } finally {
        if (openings.get(id) === opening) openings.delete(id)
      }
    }
    const opening = become()
    openings.set(id, opening)
    return opening
  }

  async function open(id: string, account: EnrolledAccount, databaseKey: Uint8Array): Promise<Opened> {
    if (!(await exists(join(await folderOf(id), 'inbox.db3')))) {
      throw new XmtpError(
        'installation-revoked',
        'The database of this enrolment is gone; the wallet has to enrol again',
      )
    }
    const { identifier, chainId } = identityOf(account)
    return openInbox(id, databaseKey, {
      ...(account.kind === 'evm-contract'
        ? { type: 'SCW' as const, getChainId: () => chainId }
        : { type: 'EOA' as const }),
      getIdentifier: () => identifier,
      signMessage() {
        throw new XmtpError(
          'installation-revoked',
          'The installation is not registered; the wallet has to enrol again',
        )
      },
    })
  }

  /** Whoever waits for the opening is told by its end; here it only counts that it has ended. */
  function giveUp(id: string): void {
    const opening = openings.get(id)
    openings.delete(id)
    if (opening) departures.add(id, Promise.allSettled([opening]))
  }

  async function close(id: string): Promise<void> {
    giveUp(id)
    const member = members.get(id)
    members.delete(id)
    if (member) departures.add(id, member.close())
    await departures.wait(id, member ? CLOSING_MS : PATIENCE_MS)
  }

  async function remove(id: string): Promise<void> {
    const folder = await folderOf(id)
    const removeFolder = () => rm(folder, { recursive: true, force: true, maxRetries: 3 })
    // Who comes late may have written more.
    departures.afterwards(id, removeFolder)
    await removeFolder()
  }

  function memberOf(id: string): Member {
    const member = members.get(id)
    if (member) return member
    throw new XmtpError('closed', 'The enrolment is not open')
  }

  return {
    terms,
    contents: xmtpContents,
    begin: ({ id, account, secret }, signal) => translated(() => begin(id, account, secret, signal)),
    complete: ({ id, signature, chainId }, signal) =>
      translated(() => complete(id, signature, chainId, signal)),
    cancel: (id) => translated(() => cancel(id)),
    open: (enrolment, signal) =>
      translated(async () => {
        const { id } = enrolment
        if (members.has(id)) return
        const opening = openings.get(id) ?? start(enrolment)
        try {
          await abortable(opening, signal)
        } catch (error) {
          if (openings.get(id) === opening) giveUp(id)
          throw error
        }
      }),
    close: (id) => translated(() => close(id)),
    revoke: ({ id }) =>
      translated(async () => {
        await cancel(id)
        await departures.atMost(PATIENCE_MS, openings.get(id))
        const installation = members.get(id)?.installationId
        await close(id)
        // Also where it was not open.
        await new SentMessages(context.storage, id).forget()
        await remove(id)
        return {
          remote: 'pending',
          userAction: `Take the gateway’s installation${
            installation ? ` ${installation.slice(0, 8)}…` : ''
          } off the inbox in an XMTP application (“revoke installation”), which the wallet signs. The gateway has deleted its keys and can read nothing any more.`,
        }
      }),
    send: (intent, signal) =>
      translated(async () => {
        const member = memberOf(intent.enrolment)
        try {
          return { remoteIds: await member.send(intent, signal) }
        } catch (error) {
          throw error instanceof SendFailure ? toAdapterError(error.cause, error.stage) : error
        }
      }),
    find: (intent, signal) =>
      translated(async () => {
        const remoteIds = await memberOf(intent.enrolment).find(intent, signal)
        return remoteIds && { remoteIds }
      }),
    async *walk({ enrolment, since }, signal) {
      try {
        yield* memberOf(enrolment).walk(since, signal)
      } catch (error) {
        throw toAdapterError(error)
      }
    },
    async sweep() {
      for (const id of await entries(await root())) {
        if (!ceremonies.has(id) && (await exists(join(await folderOf(id), BEGUN)))) await remove(id)
      }
    },
    async stop() {
      await Promise.all([...ceremonies.keys()].map(cancel))
      await Promise.all([...openings.keys(), ...members.keys()].map(close))
    },
  }
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toAdapterError(error)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
