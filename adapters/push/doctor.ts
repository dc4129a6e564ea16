/** Self-diagnosis: what commonly goes wrong with an account on Push, with cause and fix. */
import type { DoctorFacet, Finding } from '../../src/adapter/index.ts'
import type { Account } from './account.ts'
import { baseUrlOf, type PushConfig } from './config.ts'
import type { Connection } from './connection.ts'
import { PushError } from './errors.ts'
import type { Channel } from './notifications/channel.ts'
import type { Profiles } from './profiles.ts'
import type { Omission, Reader } from './reader.ts'
import type { RestClient } from './rest.ts'

/** Message times are the service's own, so only a large difference matters: walks go by them. */
const CLOCK_WARNING_MS = 60_000

const omissionTexts: Record<Exclude<Omission, 'not-a-frame'>, string> = {
  'badly-signed': 'messages had a signature that does not hold',
  undecryptable: 'messages could not be decrypted',
  plaintext: 'messages were not encrypted',
  'untrusted-sender': 'messages came from wallets whose keys cannot be trusted',
}

export function createDoctor(parts: {
  config: PushConfig
  connection: Connection
  account: Account
  profiles: Profiles
  reader: Reader
  rest: RestClient
  channel: Channel | null
}): DoctorFacet {
  const { config, connection, account, profiles, reader, rest, channel } = parts

  function examineService(): Finding {
    if (config.url) {
      return { check: 'service', status: 'ok', message: 'url is set: the public service is not used' }
    }
    return {
      check: 'service',
      status: 'warning',
      message:
        'The service has one operator, its SDK has not been maintained since May 2025, and whether it goes on is not announced',
      fix: 'Do not make Push the only network of a wallet: give its route another one.',
    }
  }

  async function examineProfile(signal: AbortSignal): Promise<Finding[]> {
    try {
      profiles.forget(account.did)
      await profiles.lookUp(account.did, signal)
    } catch (error) {
      if (!(error instanceof PushError)) throw error
      const isReachable = !['unreachable', 'timed-out', 'answer-lost'].includes(error.code)
      return [
        {
          check: isReachable ? 'profile' : 'reachability',
          status: 'error',
          message: error.message,
          fix: isReachable
            ? 'Look at the state of the network in GET /v1/networks: it says what to do.'
            : `Check that the gateway may open HTTPS and WebSocket connections to ${new URL(baseUrlOf(config)).host}.`,
        },
      ]
    }
    return [
      { check: 'reachability', status: 'ok', message: `${new URL(baseUrlOf(config)).host} answers` },
      account.isUnlocked()
        ? { check: 'profile', status: 'ok', message: 'The key of the profile is open, its proof is valid' }
        : {
            check: 'profile',
            status: 'error',
            message: 'The key of the profile is not open',
            fix: 'Start the gateway; if it is started, walletKey is not the key of this profile.',
          },
    ]
  }

  function examineSocket(): Finding {
    return connection.state() === 'connected'
      ? { check: 'socket', status: 'ok', message: 'New messages are told at once' }
      : {
          check: 'socket',
          status: 'warning',
          message: 'The socket is not connected: nothing is heard until it is',
          fix: 'It is tried again by itself. Check that WebSocket connections to the service are let through.',
        }
  }

  function examineClock(): Finding[] {
    const offset = rest.clockOffsetMs()
    if (offset === null) return []
    const seconds = Math.round(Math.abs(offset) / 1000)
    const message = `The clock of the gateway is ${seconds} s ${offset > 0 ? 'behind' : 'ahead of'} the service`
    if (Math.abs(offset) < CLOCK_WARNING_MS) return [{ check: 'clock', status: 'ok', message }]
    const fix = 'Synchronise the clock of the gateway (NTP).'
    return [{ check: 'clock', status: 'warning', message, fix }]
  }

  async function examineChannel(signal: AbortSignal): Promise<Finding[]> {
    if (!channel) return []
    const check = 'channel'
    try {
      if (!(await channel.exists(signal))) {
        const fix = 'Make the channel in a Push application, or take channel out of the configuration.'
        return [{ check, status: 'error', message: 'The service knows no such channel', fix }]
      }
    } catch (error) {
      if (!(error instanceof PushError)) throw error
      const fix = 'Wallets are not woken meanwhile. Look again later.'
      return [{ check, status: 'warning', message: error.message, fix }]
    }
    if (channel.isOwner) return [{ check, status: 'ok', message: 'The key is that of the channel' }]
    return [
      {
        check,
        status: 'warning',
        message:
          'The key is not the channel’s own; whether the channel has delegated to it cannot be told here',
        fix: 'Look among the delegates of the channel in a Push application.',
      },
    ]
  }

  function examineTrust(): Finding[] {
    const keys = Object.entries(profiles.refusals()).map(
      ([code, count]): Finding => ({
        check: 'keys',
        status: 'warning',
        message: `Keys were refused ${count} times (${code})`,
        fix: 'Nothing was sent to these wallets. If it goes on, the service or the way to it is not to be trusted.',
      }),
    )
    const omissions = reader.omissions()
    const messages = Object.entries(omissionTexts).flatMap(([reason, text]): Finding[] => {
      const count = omissions[reason as Omission]
      if (count === 0) return []
      return [
        {
          check: 'messages',
          status: 'warning',
          message: `${count} ${text} and were left out`,
          fix: 'Ask their senders to send again.',
        },
      ]
    })
    return [...keys, ...messages]
  }

  return {
    async examine(signal) {
      return [
        examineService(),
        ...(await examineProfile(signal)),
        examineSocket(),
        ...(await examineChannel(signal)),
        ...examineClock(),
        ...examineTrust(),
      ]
    },
  }
}
