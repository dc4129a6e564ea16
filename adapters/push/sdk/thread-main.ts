/**
 * The thread of the unmodified `@pushprotocol/restapi`. It holds the PGP keys of the gateway's own account and of enrolled
 * ones, and does the cryptography, and it reaches no network: each HTTP call of the SDK goes to the adapter, which decides
 * about it and makes it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'
import { Wallet } from 'ethers/wallet'
import type { HttpAnswer } from '../rest.ts'
import { isTooDeep } from './depth.ts'
import type { FromThread, Opened, SdkMessage, Task, ToThread } from './protocol.ts'

/** What is used of the SDK; its own types need a browser's. */
interface Sdk {
  PushAPI: {
    initialize(signer: object, options: { env: string; autoUpgrade: boolean }): Promise<PushApi>
    initialize(options: { account: string; env: string; decryptedPGPPrivateKey: string }): Promise<PushApi>
  }
}
interface PushApi {
  /** Armored, of the profile. */
  pgpPublicKey?: string
  env: string
  readmode(): boolean
  chat: {
    send(to: string, message: SdkMessage): Promise<{ cid?: unknown }>
    accept(from: string): Promise<unknown>
    decrypt(messages: Record<string, unknown>[]): Promise<{ messageObj?: unknown }[]>
  }
}
interface Pgp {
  sign(of: { message: string; signingKey: string }): Promise<string>
  verifySignature(of: {
    messageContent: string
    signatureArmored: string
    publicKeyArmored: string
  }): Promise<void>
  pgpEncrypt(of: { plainText: string; keys: string[] }): Promise<string>
  pgpDecrypt(of: { cipherText: string; toPrivateKeyArmored: string }): Promise<string>
}
interface AxiosConfig {
  method?: string
  url?: string
  data?: string
}

const fromSdk = createRequire(createRequire(import.meta.url).resolve('@pushprotocol/restapi'))
const axios = fromSdk('axios') as { defaults: { adapter: unknown } }
const { PushAPI } = fromSdk('@pushprotocol/restapi') as Sdk
const { PGPHelper: pgp } = fromSdk('@pushprotocol/restapi/src/lib/chat/helpers/pgp.js') as { PGPHelper: Pgp }
const users = fromSdk('@pushprotocol/restapi/src/lib/user/getUser.js') as {
  get(of: { account: string; env: string }): Promise<{ publicKey: string }>
}
const { cache } = fromSdk('@pushprotocol/restapi/src/lib/helpers/cache.js') as {
  cache: { set: (key: string, value: unknown) => unknown }
}
// It is one for all accounts: secrets of a group that one is in would open it for another, and outlive their account.
cache.set = () => cache

const currentTask = new AsyncLocalStorage<number>()
const calls = new Map<number, PromiseWithResolvers<HttpAnswer>>()
let callCount = 0
/** Accounts by the name that the adapter gave them. */
const apis = new Map<string, PushApi>()

function tell(message: FromThread): void {
  parentPort?.postMessage(message)
}

/** The SDK's addresses are process-wide and end in `/apis`; only what follows counts. */
axios.defaults.adapter = async (config: AxiosConfig) => {
  const id = ++callCount
  const answered = Promise.withResolvers<HttpAnswer>()
  calls.set(id, answered)
  tell({
    type: 'call',
    id,
    task: currentTask.getStore() ?? 0,
    call: {
      method: (config.method ?? 'get').toUpperCase(),
      path: (config.url ?? '').replace(/^https?:\/\/[^/]+\/apis/, ''),
      body: config.data === undefined ? undefined : (JSON.parse(config.data) as unknown),
    },
  })
  const { status, body } = await answered.promise
  const response = { data: body, status, statusText: '', headers: {}, config, request: null }
  if (status >= 200 && status < 300) return response
  throw Object.assign(new Error(`HTTP status ${status}`), { response, config, isAxiosError: true })
}

async function unlock(
  account: string,
  { walletKey, environment }: Extract<Task, { kind: 'unlock' }>,
): Promise<null> {
  const wallet = new Wallet(walletKey.startsWith('0x') ? walletKey : `0x${walletKey}`)
  const opened = await PushAPI.initialize(wallet, { env: environment, autoUpgrade: false })
  // The SDK does not fail when the key does not open: it falls into guest mode.
  if (opened.readmode()) throw new Error('guest mode')
  apis.set(account, opened)
  return null
}

/** Whether the key was taken: it signs and decrypts as the profile's public key says. */
async function admit(
  account: string,
  { did, environment, key }: Extract<Task, { kind: 'admit' }>,
): Promise<boolean> {
  const options = { account: did, env: environment, decryptedPGPPrivateKey: key }
  const opened = await PushAPI.initialize(options)
  const publicKey = opened.pgpPublicKey
  if (publicKey === undefined) throw new Error('no public key')
  if (!(await belong(key, publicKey))) {
    // The one that the profile had before is of no use any more.
    apis.delete(account)
    return false
  }
  apis.set(account, opened)
  return true
}

async function belong(key: string, publicKey: string): Promise<boolean> {
  const challenge = randomUUID()
  try {
    const signature = await pgp.sign({ message: challenge, signingKey: key })
    const claim = { messageContent: challenge, signatureArmored: signature, publicKeyArmored: publicKey }
    await pgp.verifySignature(claim)
    const cipherText = await pgp.pgpEncrypt({ plainText: challenge, keys: [publicKey] })
    return (await pgp.pgpDecrypt({ cipherText, toPrivateKeyArmored: key })) === challenge
  } catch {
    return false // no key, a locked one, or another one
  }
}

async function open(account: string, message: Record<string, unknown>): Promise<Opened> {
  try {
    if (message.encType === 'PlainText') return await openPlain(account, message)
    const [decrypted] = await unlocked(account).chat.decrypt([message])
    const object = decrypted?.messageObj
    // What it cannot decrypt the SDK replaces by a sentence.
    if (typeof object !== 'object' || object === null || isTooDeep(object)) {
      return { object: null, reason: 'undecryptable' }
    }
    return { object: { ...object }, reason: null }
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    if (/could not be verified/i.test(text)) return { object: null, reason: 'badly-signed' }
    throw error
  }
}

/** Messages of public groups are not encrypted. The SDK does not look at their signatures, so that is done here. */
async function openPlain(account: string, message: Record<string, unknown>): Promise<Opened> {
  const { fromDID, fromCAIP10, toCAIP10, messageObj, messageType, encType, sessionKey, encryptedSecret } =
    message
  const [type, signature] = String(message.verificationProof).split(':')
  if (type !== 'pgpv3' || !signature || typeof messageObj !== 'object' || messageObj === null) {
    return { object: null, reason: 'badly-signed' }
  }
  const { publicKey } = await users.get({ account: String(fromCAIP10), env: unlocked(account).env })
  const signed = {
    fromDID,
    toDID: fromDID, // as the SDK signs it
    fromCAIP10,
    toCAIP10,
    messageObj,
    messageType,
    encType,
    sessionKey,
    encryptedSecret,
  }
  const hash = createHash('sha256').update(JSON.stringify(signed)).digest('hex')
  await pgp.verifySignature({
    messageContent: hash,
    signatureArmored: signature,
    publicKeyArmored: publicKey,
  })
  return { object: { ...messageObj }, reason: null }
}

function unlocked(account: string): PushApi {
  const api = apis.get(account)
  if (!api) throw new Error('not unlocked')
  return api
}

async function run(account: string, task: Task): Promise<unknown> {
  switch (task.kind) {
    case 'unlock':
      return unlock(account, task)
    case 'admit':
      return admit(account, task)
    case 'dismiss':
      apis.delete(account)
      return null
    case 'send':
      return { cid: (await unlocked(account).chat.send(task.to, task.message)).cid }
    case 'accept':
      await unlocked(account).chat.accept(task.from)
      return null
    case 'open':
      return open(account, task.message)
  }
}

parentPort?.on('message', (message: ToThread) => {
  if (message.type === 'task') {
    const { id, account, task } = message
    currentTask.run(id, () =>
      run(account, task)
        // What cannot be told is a failure as well.
        .then((value) => tell({ type: 'done', id, value }))
        .catch((error: unknown) =>
          tell({ type: 'failed', id, reason: error instanceof Error ? error.name : 'unknown' }),
        ),
    )
    return
  }
  const waiting = calls.get(message.id)
  calls.delete(message.id)
  if (message.type === 'answer') waiting?.resolve(message.answer)
  else waiting?.reject(new Error('no answer'))
})
