/** Self-diagnosis: what commonly goes wrong on XMTP, with cause and fix. */
import type { AdapterContext, DoctorFacet, Finding } from '../../src/adapter/index.ts'
import { apiUrlOf, type XmtpConfig } from './config.ts'
import type { Connection } from './connection.ts'
import { operatorAction, toXmtpError, type XmtpError } from './errors.ts'
import { glibcVersion, loadSdk } from './sdk.ts'
import type { Session, SessionParts } from './session.ts'
import type { GatewayWallet } from './wallet.ts'

/** Installations that the network allows for one inbox. */
const MOST_INSTALLATIONS = 10
const MANY_INSTALLATIONS = 8
/** libxmtp takes times of other clocks; beyond this, expiry and consent are judged wrongly. */
const CLOCK_WARNING_MS = 30_000

export function createDoctor(parts: {
  config: XmtpConfig
  context: AdapterContext
  wallet: GatewayWallet
  connection: Connection
  load?: SessionParts['load']
}): DoctorFacet {
  const { config, connection } = parts

  async function examineBinding(): Promise<Finding> {
    const check = 'native-binding'
    try {
      await loadSdk(parts.load)
      const glibc = glibcVersion()
      return { check, status: 'ok', message: `The XMTP SDK is loaded${glibc ? ` on glibc ${glibc}` : ''}` }
    } catch (error) {
      return failed(check, toXmtpError(error), 'Reinstall the packages on this machine.')
    }
  }

  async function examineNetwork({ inbox }: Session, signal: AbortSignal): Promise<Finding> {
    const check = 'reachability'
    const url = apiUrlOf(config)
    try {
      await inbox.sync(signal)
      return { check, status: 'ok', message: `${url} answers` }
    } catch (error) {
      return failed(check, toXmtpError(error), `Check that the gateway may open connections to ${url}.`)
    }
  }

  async function examineInstallations(
    { inbox, installations }: Session,
    signal: AbortSignal,
  ): Promise<Finding[]> {
    const check = 'installations'
    try {
      const state = await inbox.state(signal)
      const count = state.installations.length
      const counted = `${count} of ${MOST_INSTALLATIONS} installations of the inbox are in use`
      const many: Finding =
        count < MANY_INSTALLATIONS
          ? { check, status: 'ok', message: counted }
          : {
              check,
              status: count < MOST_INSTALLATIONS ? 'warning' : 'error',
              message: `${counted}; at ${MOST_INSTALLATIONS} a gateway whose database is lost cannot join again`,
              fix: 'Revoke installations that are not used any more with the gateway’s wallet, and keep the database in backups.',
            }
      const lost = installations.lost.filter((id) =>
        state.installations.some((known) => known.id === id),
      ).length
      return lost === 0 ? [many] : [many, lostDatabases(lost)]
    } catch (error) {
      return [failed(check, toXmtpError(error), 'Look at the finding on reachability.')]
    }
  }

  function examineDatabase(): Finding {
    const check = 'database'
    const place = config.databaseDirectory ?? 'the data folder'
    if (connection.session) {
      return { check, status: 'ok', message: `The database in ${place} is open; back it up with the data` }
    }
    const failure = connection.failure
    if (failure?.code === 'database-key-wrong' || failure?.code === 'database-failed') {
      return failed(check, failure, 'Restore the database from a backup.')
    }
    return {
      check,
      status: 'warning',
      message: 'The database is not open',
      fix: 'Look at the other findings.',
    }
  }

  function examineClock(): Finding {
    const check = 'clock'
    const ahead = connection.clockAhead
    if (ahead === null) {
      return {
        check,
        status: 'ok',
        message: 'Nothing was sent yet with which to compare the network’s clock',
      }
    }
    const seconds = (Math.abs(ahead) / 1000).toFixed(1)
    return Math.abs(ahead) <= CLOCK_WARNING_MS
      ? { check, status: 'ok', message: `Within ${seconds} s of the network’s clock` }
      : {
          check,
          status: 'warning',
          message: `The clock is ${seconds} s ${ahead > 0 ? 'behind' : 'ahead of'} the network’s`,
          fix: 'Set the clock of this machine (NTP).',
        }
  }

  return {
    async examine(signal) {
      const binding = await examineBinding()
      if (binding.status === 'error') return [binding]
      const { session, failure } = connection
      if (!session) {
        const closed: Finding = failure
          ? failed('inbox', failure, `Check that the gateway may open connections to ${apiUrlOf(config)}.`)
          : {
              check: 'inbox',
              status: 'error',
              message: 'The XMTP adapter is not started',
              fix: 'Start the gateway.',
            }
        return [binding, closed, examineDatabase()]
      }
      const [network, installations] = await Promise.all([
        examineNetwork(session, signal),
        examineInstallations(session, signal),
      ])
      return [binding, network, ...installations, examineDatabase(), examineClock()]
    },
  }
}

function failed(check: string, failure: XmtpError, fix: string): Finding {
  return { check, status: 'error', message: failure.message, fix: operatorAction(failure.code) ?? fix }
}

function lostDatabases(count: number): Finding {
  return {
    check: 'database-lost',
    status: 'warning',
    message: `The database was lost ${count === 1 ? 'once' : `${count} times`}: each time the gateway had to register one more of ${MOST_INSTALLATIONS} installations, and messages to the lost one cannot be read`,
    fix: 'Keep the database folder (a volume, a backup). Revoke the lost installation with the gateway’s wallet when you are sure that its database is gone.',
  }
}
