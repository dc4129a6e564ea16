/**
 * Who belongs to which inbox, as far as identity updates say it without their signatures being checked. SANDBOX.
 * Read of each action: the wallet of `create_inbox`, the member of `add` and of `revoke`. Recovery is not read.
 */
import { status } from '@grpc/grpc-js'
import {
  type IdentityUpdate,
  identityUpdateCodec,
  type MemberIdentifier,
  type SmartContractWalletSignature,
} from '../wire/index.ts'
import { Refusal } from './refusal.ts'
import type { NodeStore, StoredUpdate } from './store.ts'

/** Updates of one inbox over its whole life. */
export const MAX_INBOX_UPDATES = 256
/** Installations of one inbox at a time. */
export const MAX_INSTALLATIONS = 10

interface Inbox {
  updates: number
  installations: Set<string>
}

/** Whether a contract wallet accepts a signature: fixed, or worked out. */
export type ContractVerdict = boolean | ((request: { hash: Uint8Array; signature: Uint8Array }) => boolean)

export class Identities {
  readonly #store: NodeStore
  readonly #inboxes = new Map<string, Inbox>()
  /** Inboxes that an address belongs to, oldest association first. */
  readonly #byAddress = new Map<string, string[]>()
  readonly #contracts = new Map<string, ContractVerdict>()

  constructor(store: NodeStore) {
    this.#store = store
    for (const { inboxId, update } of store.allUpdates()) {
      this.#apply(inboxId, identityUpdateCodec.decode(update))
    }
  }

  publish(bytes: Uint8Array): void {
    const update = decodeUpdate(bytes)
    const inbox = this.#inboxes.get(update.inboxId)
    if (inbox && inbox.updates >= MAX_INBOX_UPDATES) throw new Refusal(status.UNKNOWN, 'inbox log is full')
    const creations = update.actions.filter(({ kind }) => kind === 'createInbox').length
    if (creations > (inbox ? 0 : 1)) throw new Refusal(status.UNKNOWN, 'Multiple create operations detected')
    if (!inbox && creations === 0) throw new Refusal(status.UNKNOWN, 'Inbox does not exist')
    const added = update.actions.flatMap(({ add }) => hexOf(add?.newMemberIdentifier))
    const revoked = update.actions.flatMap(({ revoke }) => hexOf(revoke?.memberToRevoke))
    const after = new Set([...(inbox?.installations ?? []), ...added])
    for (const key of revoked) after.delete(key)
    if (added.length > 0 && after.size > MAX_INSTALLATIONS) {
      throw new Refusal(status.UNKNOWN, `the inbox has ${MAX_INSTALLATIONS} installations already`)
    }
    this.#store.appendUpdate(update.inboxId, bytes)
    this.#apply(update.inboxId, update)
  }

  updates(inboxId: string, after: string): StoredUpdate[] {
    return this.#store.updates(inboxId, after)
  }

  inboxIdOf(identifier: string): string | undefined {
    return this.#byAddress.get(identifier.toLowerCase())?.at(-1)
  }

  /** Ids of the installations that belong to an inbox now, in hex. */
  installations(inboxId: string): string[] {
    return [...(this.#inboxes.get(inboxId)?.installations ?? [])]
  }

  setContract(address: string, verdict: ContractVerdict): void {
    this.#contracts.set(address.toLowerCase(), verdict)
  }

  verify({ accountId, hash, signature }: SmartContractWalletSignature): boolean {
    const address = accountId.slice(accountId.lastIndexOf(':') + 1).toLowerCase()
    const verdict = this.#contracts.get(address) ?? false
    return typeof verdict === 'function' ? verdict({ hash, signature }) : verdict
  }

  #apply(inboxId: string, update: IdentityUpdate): void {
    const inbox = this.#inboxes.get(inboxId) ?? { updates: 0, installations: new Set<string>() }
    this.#inboxes.set(inboxId, inbox)
    inbox.updates += 1
    for (const { createInbox, add, revoke } of update.actions) {
      if (createInbox) this.#associate(inboxId, createInbox.initialIdentifier)
      const added = add?.newMemberIdentifier
      if (added?.ethereumAddress) this.#associate(inboxId, added.ethereumAddress)
      for (const key of hexOf(added)) inbox.installations.add(key)
      const revoked = revoke?.memberToRevoke
      if (revoked?.ethereumAddress) this.#dissociate(inboxId, revoked.ethereumAddress)
      for (const key of hexOf(revoked)) inbox.installations.delete(key)
    }
  }

  #associate(inboxId: string, identifier: string): void {
    const address = identifier.toLowerCase()
    const others = (this.#byAddress.get(address) ?? []).filter((other) => other !== inboxId)
    this.#byAddress.set(address, [...others, inboxId])
  }

  #dissociate(inboxId: string, identifier: string): void {
    const address = identifier.toLowerCase()
    const others = (this.#byAddress.get(address) ?? []).filter((other) => other !== inboxId)
    this.#byAddress.set(address, others)
  }
}

function decodeUpdate(bytes: Uint8Array): IdentityUpdate {
  try {
    return identityUpdateCodec.decode(bytes)
  } catch (error) {
    throw new Refusal(status.INVALID_ARGUMENT, `no identity update: ${(error as Error).message}`)
  }
}

/** The member's installation key in hex, if it is an installation. */
function hexOf(member: MemberIdentifier | null | undefined): string[] {
  const key = member?.installationPublicKey
  return key && key.length > 0 ? [key.toString('hex')] : []
}
