/**
 * The gateway's own channel: tells a wallet that something waits for it, and nothing else. Only wallets that subscribed to the
 * channel are told, and each only once in a while.
 */
import { randomUUID } from 'node:crypto'
import { computeAddress } from 'ethers/transaction'
import { Wallet } from 'ethers/wallet'
import { z } from 'zod'
import type { AdapterStorage, Clock, WakeResult } from '../../../src/adapter/index.ts'
import { chainOf, type PushConfig } from '../config.ts'
import { addressOfDid, canonicalDid, didOfAddress, didOfWallet } from '../did.ts'
import { PushError } from '../errors.ts'
import { type RestClient, refusal } from '../rest.ts'

/** What a wallet is told. The service and everybody who asks it can read this, so it says nothing. */
const TITLE = 'New message'
const BODY = 'You have a new message'

/** The notification is for one wallet: `NOTIFICATION_TYPE.TARGETTED` of the SDK. */
const TARGETED = '3'
/** The service's names of the chains, as the SDK has them. */
const sources: Record<number, string> = { 1: 'ETH_MAINNET', 11155111: 'ETH_TEST_SEPOLIA' }

/**
 * The contract that stands in the signed data, by environment: `EPNS_COMMUNICATOR_CONTRACT` of the SDK. Nothing is called
 * there.
 */
export const communicators: Record<PushConfig['environment'], string> = {
  prod: '0xb3971bcef2d791bc4027bbfedfb47319a4aaaaaa',
  staging: '0x0C34d54a09CFe75BCcd878A469206Ae77E0fe6e7',
  dev: '0x9ddcd7ed7151afab43044e4d694fa064742c428c',
}

/** EIP-712 types of a notification's proof. */
export const proofTypes = { Data: [{ name: 'data', type: 'string' }] }
export const proofDomain = (chainId: number, verifyingContract: string) => ({
  name: 'EPNS COMM V1',
  chainId,
  verifyingContract,
})

const subscriptionsSchema = z.looseObject({
  subscriptions: z.array(z.looseObject({ channel: z.string() })),
})

/** What was last told to a wallet, kept over restarts. Unix milliseconds. */
const lastSchema = z.object({ at: z.number() })

export interface Channel {
  /** `eip155:<chain>:0x…`: what wallets subscribe to. */
  readonly caip: string
  readonly did: string
  /** The key is the channel's own, rather than that of somebody it has delegated to. */
  readonly isOwner: boolean
  /** Whether the service knows the channel. */
  exists(signal: AbortSignal): Promise<boolean>
  /** See `WakeFacet.wake`. `onLeave` is called just before the notification goes out. */
  wake(wallet: string, seenAt: number | null, onLeave: () => void, signal: AbortSignal): Promise<WakeResult>
}

export interface ChannelOptions {
  config: PushConfig
  rest: RestClient
  storage: AdapterStorage
  clock: Clock
}

/** Null where no channel is configured. */
export function createChannel({ config, rest, storage, clock }: ChannelOptions): Channel | null {
  const settings = config.channel
  if (!settings) return null
  const { intervalMs, link } = settings
  const chain = chainOf(config)
  const did = didOfAddress(settings.address)
  const caipOf = (account: string) => `eip155:${chain}:${addressOfDid(account)}`
  const caip = caipOf(did)
  const key = settings.key.startsWith('0x') ? settings.key : `0x${settings.key}`
  const lastKey = (account: string) => `woken/${account}`

  async function subscribes(account: string, signal: AbortSignal): Promise<boolean> {
    const path = `/v1/users/${caipOf(account)}/subscriptions?channel=${caip}`
    const { subscriptions } = await rest.get(path, subscriptionsSchema, signal)
    return subscriptions.some(({ channel }) => canonicalDid(channel) === did)
  }

  async function lastToldAt(account: string): Promise<number | null> {
    const stored = await storage.get(lastKey(account))
    return stored === null ? null : lastSchema.parse(JSON.parse(stored)).at
  }

  async function tellAt(account: string, at: number | null): Promise<void> {
    await storage.set(lastKey(account), at === null ? null : JSON.stringify({ at }))
  }

  /** In the form of the SDK's `sendNotification`, signed by EIP-712. */
  async function notificationFor(account: string): Promise<Record<string, string>> {
    const recipient = caipOf(account)
    const data = { acta: link ?? '', aimg: '', amsg: BODY, asub: TITLE, type: TARGETED }
    const payload = { notification: { title: TITLE, body: BODY }, data, recipients: recipient }
    const identity = `2+${JSON.stringify(payload)}`
    const domain = proofDomain(chain, communicators[config.environment])
    const signature = await new Wallet(key).signTypedData(domain, proofTypes, { data: identity })
    const verificationProof = `eip712v2:${signature}::uid::${randomUUID()}`
    return { verificationProof, identity, sender: caip, source: sources[chain] ?? '', recipient }
  }

  return {
    caip,
    did,
    isOwner: didOfAddress(computeAddress(key)) === did,
    async exists(signal) {
      const { status, body } = await rest.call({ method: 'GET', path: `/v1/channels/${caip}` }, signal)
      if (status >= 400 && status !== 404) throw refusal({ status })
      return status < 400 && body !== null
    },
    async wake(wallet, seenAt, onLeave, signal) {
      const account = didOfWallet(wallet)
      if (account === null) return { outcome: 'not-wanted', quietUntil: clock.now() + intervalMs }
      const last = await lastToldAt(account)
      const isQuiet = last !== null && clock.now() < last + intervalMs && (seenAt === null || seenAt <= last)
      if (isQuiet) return { outcome: 'too-soon', quietUntil: last + intervalMs }
      const quietUntil = clock.now() + intervalMs
      if (!(await subscribes(account, signal))) return { outcome: 'not-wanted', quietUntil }
      const body = await notificationFor(account)
      // Written down first: one whose answer is lost is not sent again.
      await tellAt(account, clock.now())
      try {
        if (signal.aborted) throw new PushError('aborted', 'The notification was given up before it left')
        onLeave()
        const { status } = await rest.call({ method: 'POST', path: '/v1/payloads/', body }, signal)
        if (status >= 400) throw refusal({ status })
      } catch (error) {
        if (isCertain(error)) await tellAt(account, last)
        throw error
      }
      return { outcome: 'sent', quietUntil }
    },
  }
}

/** It certainly did not go out. */
function isCertain(error: unknown): boolean {
  if (!(error instanceof PushError)) return false
  const isRefused = error.code === 'refused' && (error.status ?? 500) < 500
  return isRefused || error.code === 'unreachable'
}
