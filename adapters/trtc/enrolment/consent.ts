/** The text that a wallet signs, and whether it signed it. */
import { verifyMessage } from 'ethers/hash'
import { AdapterError, type EnrolledAccount } from '../../../src/adapter/index.ts'

export function consentText(about: {
  account: EnrolledAccount
  sdkAppId: number
  userId: string
  gateway: string
  enrolment: string
  /** Unix milliseconds. */
  issuedAt: number
  meaning: string
}): string {
  return [
    'Let this gateway read and write my messages on Tencent RTC Chat.',
    '',
    about.meaning,
    '',
    `Account: ${about.account.address}`,
    `Chat user: ${about.userId}`,
    `Chat app: ${about.sdkAppId}`,
    `Gateway: ${about.gateway}`,
    `Enrolment: ${about.enrolment}`,
    `Issued at: ${new Date(about.issuedAt).toISOString()}`,
  ].join('\n')
}

/** Throws `AdapterError` `permanent` for accounts whose signature cannot be checked here. */
export function requireCheckable({ kind }: EnrolledAccount): void {
  if (kind === 'evm-account') return
  throw new AdapterError(
    'permanent',
    'Hop mode on TRTC takes plain EVM accounts alone: nobody on that network checks other signatures',
    { remoteCode: 'account-unsupported' },
  )
}

/** Throws `AdapterError` `permanent` unless the account signed the text (EIP-191). */
export function requireSignature(account: EnrolledAccount, text: string, signature: string): void {
  let signer = ''
  try {
    signer = verifyMessage(text, signature)
  } catch (cause) {
    throw wrong(cause)
  }
  if (signer.toLowerCase() !== account.address.toLowerCase()) throw wrong()
}

function wrong(cause?: unknown): AdapterError {
  return new AdapterError('permanent', 'The signature is not the wallet’s over the text that was given', {
    remoteCode: 'signature-invalid',
    ...(cause === undefined ? {} : { cause }),
  })
}
