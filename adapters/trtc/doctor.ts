/** Self-diagnosis: what commonly goes wrong when an app of the service is joined, with cause and fix. */
import { AdapterError, type Clock, type DoctorFacet, type Finding } from '../../src/adapter/index.ts'
import type { Accounts } from './accounts.ts'
import { regionOf, type TrtcConfig } from './config.ts'
import { operatorAction } from './errors.ts'
import type { RestClient } from './rest.ts'
import type { WebhookCode, WebhookStatistics } from './webhook.ts'

/** Webhooks are refused beyond 60 s; half of that is worth a warning. */
const CLOCK_WARNING_MS = 30_000
const CLOCK_ERROR_MS = 60_000

const webhookAdvice: Readonly<Partial<Record<WebhookCode, string>>> = {
  'webhook-secret-invalid': 'The URL in the console must end with the value of webhookSecret.',
  'webhook-signature-invalid': 'The authentication token in the console must be the value of webhookToken.',
  'webhook-stale': 'Set the clock of the gateway (NTP), or look for a proxy that holds calls back.',
  'webhook-application-mismatch': 'Another app calls this URL: give each app its own gateway or secret.',
}

export function createDoctor(parts: {
  config: TrtcConfig
  rest: RestClient
  accounts: Accounts
  webhook: { statistics(): WebhookStatistics }
  clock: Clock
}): DoctorFacet {
  const { config, rest, accounts, webhook, clock } = parts

  async function examineService(signal: AbortSignal): Promise<Finding[]> {
    try {
      const existing = await rest.existingAccounts([config.adminUserId], signal)
      const reached: Finding = {
        check: 'reachability',
        status: 'ok',
        message: `${rest.currentUrl()} answers`,
      }
      const credentials: Finding = existing.has(config.adminUserId)
        ? { check: 'credentials', status: 'ok', message: 'sdkAppId, secretKey and adminUserId are accepted' }
        : {
            check: 'credentials',
            status: 'warning',
            message: 'The key is accepted, but adminUserId is not listed as an account of the app',
            fix: 'Set adminUserId to the administrator that the console shows.',
          }
      return [reached, credentials]
    } catch (error) {
      if (!AdapterError.is(error)) throw error
      const action = operatorAction(error.remoteCode)
      return [
        {
          check: error.class === 'auth' ? 'credentials' : 'reachability',
          status: 'error',
          message: error.message,
          fix: action ?? `Check that the gateway may open HTTPS connections to ${rest.currentUrl()}.`,
        },
      ]
    }
  }

  function examineClock(): Finding[] {
    const offset = rest.clockOffsetMs()
    if (offset === null) return []
    const seconds = Math.round(Math.abs(offset) / 1000)
    const message = `The clock of the gateway is ${seconds} s ${offset > 0 ? 'behind' : 'ahead of'} the service`
    if (Math.abs(offset) < CLOCK_WARNING_MS) return [{ check: 'clock', status: 'ok', message }]
    return [
      {
        check: 'clock',
        status: Math.abs(offset) < CLOCK_ERROR_MS ? 'warning' : 'error',
        message: `${message}: beyond 60 s webhooks are refused and new signatures may be`,
        fix: 'Synchronise the clock of the gateway (NTP).',
      },
    ]
  }

  function examineWebhook(): Finding[] {
    const { accepted, refused, lastAcceptedAt } = webhook.statistics()
    const findings: Finding[] = Object.entries(refused).map(([code, count]) => ({
      check: 'webhook',
      status: 'warning',
      message: `${count} calls were refused with ${code}`,
      fix: webhookAdvice[code as WebhookCode] ?? 'Look at who else calls the URL.',
    }))
    if (lastAcceptedAt === null) {
      findings.push({
        check: 'webhook',
        status: 'warning',
        message:
          'No webhook has arrived since the gateway started; until one does, messages come by history only',
        fix:
          'In the console, set the webhook URL to https://<gateway>/hooks/trtc/<webhookSecret>, switch authentication on, ' +
          'and enable C2C.CallbackAfterSendMsg, Group.CallbackAfterSendMsg and State.StateChange.',
      })
    } else {
      const seconds = Math.round((clock.now() - lastAcceptedAt) / 1000)
      findings.push({
        check: 'webhook',
        status: 'ok',
        message: `${accepted} accepted, the last ${seconds} s ago`,
      })
    }
    return findings
  }

  function examineAccounts(): Finding[] {
    const refusal = accounts.lastRefusal()
    if (refusal === null) return []
    return [
      {
        check: 'accounts',
        status: 'error',
        message: `The service refused to make the last account (${refusal}): its wallet cannot be reached here`,
        fix: operatorAction(refusal) ?? 'Look the code up in the error codes of Tencent Chat.',
      },
    ]
  }

  return {
    async examine(signal) {
      const region: Finding = {
        check: 'region',
        status: 'ok',
        message: config.restUrl
          ? 'restUrl is set: the hosts of the region are not used'
          : `Data center ${config.region ?? regionOf(config.sdkAppId)}${config.region ? '' : ', from the SDKAppID'}`,
      }
      return [
        region,
        ...(await examineService(signal)),
        ...examineClock(),
        ...examineWebhook(),
        ...examineAccounts(),
      ]
    },
  }
}
