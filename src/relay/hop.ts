/** Hop mode, as the relay's parts share it. */
import type { Receipt } from '../adapter/index.ts'
import type { EnrolmentDirectory } from '../enrolment/types.ts'
import type { DeviceKeys, OpeningKey, SignEd25519 } from '../envelope/index.ts'
import type { Delivery } from '../store/port.ts'

export interface HopParts {
  /** The gateway's own device: signs what it attests. */
  device: { publicKey: Uint8Array; sign: SignEd25519 }
  /** Opens what clients seal to the gateway. */
  openingKey: OpeningKey
  enrolments: EnrolmentDirectory
  /** Certified devices of a wallet with their newest prekeys. */
  devicesOf(wallet: string): Promise<DeviceKeys[]>
}

const ADDRESS = 'hop:'

/** Address of a delivery that leaves through a wallet's own client on a network. No network has addresses of this form. */
export function hopAddress(enrolment: string): string {
  return ADDRESS + enrolment
}

/** The enrolment through which a delivery leaves; null for all others. */
export function enrolmentOf({ address }: Pick<Delivery, 'address'>): string | null {
  return address.startsWith(ADDRESS) ? address.slice(ADDRESS.length) : null
}

/** Name of a native message in the alias table. Two wallets in one conversation have one message each of the same native id. */
export function nativeAlias(enrolment: string, remoteId: string): string {
  return `${enrolment}:${remoteId}`
}

/** Name under which an echo is known by its transaction id, before the network has told the message's own. */
export function transactionAlias(enrolment: string, transactionId: string): string {
  return `${enrolment}:transaction:${transactionId}`
}

/** Native ids of a receipt, as the store keeps them. */
export function aliasedReceipt(enrolment: string, receipt: Receipt): Receipt {
  if (!('remoteIds' in receipt)) return receipt
  return { remoteIds: receipt.remoteIds.map((remoteId) => nativeAlias(enrolment, remoteId)) }
}
