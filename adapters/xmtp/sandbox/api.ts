/** The calls of the two services, over the log and the live subscribers. SANDBOX. */
import { status } from '@grpc/grpc-js'
import {
  type BatchPublishCommitLogRequest,
  type BatchQueryCommitLogRequest,
  type BatchQueryCommitLogResponse,
  type FetchKeyPackagesRequest,
  type FetchKeyPackagesResponse,
  type GetIdentityUpdatesRequest,
  type GetIdentityUpdatesResponse,
  type GetInboxIdsRequest,
  type GetInboxIdsResponse,
  type GetNewestGroupMessageRequest,
  type GetNewestGroupMessageResponse,
  type GroupMessage,
  type GroupMessageV1,
  installationKeyOf,
  MAX_MESSAGE_BYTES,
  type PublishIdentityUpdateRequest,
  type QueryGroupMessagesRequest,
  type QueryGroupMessagesResponse,
  type QueryWelcomeMessagesRequest,
  type QueryWelcomeMessagesResponse,
  readMlsMessageHeader,
  type SendGroupMessagesRequest,
  type SendWelcomeMessagesRequest,
  type UploadKeyPackageRequest,
  type VerifySmartContractWalletSignaturesRequest,
  type VerifySmartContractWalletSignaturesResponse,
  type WelcomeMessage,
} from '../wire/index.ts'
import type { FaultState } from './faults.ts'
import type { Identities } from './identity.ts'
import { Refusal } from './refusal.ts'
import type { NodeStore } from './store.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface ApiParts {
  store: NodeStore
  identities: Identities
  faults: FaultState
  groupSubscriptions: Subscriptions<GroupMessage>
  welcomeSubscriptions: Subscriptions<WelcomeMessage>
  /** Unix milliseconds. */
  now(): number
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

export function identityApi({ identities }: ApiParts) {
  return {
    PublishIdentityUpdate({ identityUpdate }: PublishIdentityUpdateRequest) {
      identities.publish(identityUpdate)
      return {}
    },
    GetIdentityUpdates({ requests }: GetIdentityUpdatesRequest): GetIdentityUpdatesResponse {
      const responses = requests.map(({ inboxId, sequenceId }) => ({
        inboxId,
        updates: identities.updates(inboxId, sequenceId),
      }))
      return { responses }
    },
    GetInboxIds({ requests }: GetInboxIdsRequest): GetInboxIdsResponse {
      const responses = requests.map(({ identifier, identifierKind }) => {
        const inboxId = identities.inboxIdOf(identifier)
        return { identifier, identifierKind, ...(inboxId === undefined ? {} : { inboxId }) }
      })
      return { responses }
    },
    VerifySmartContractWalletSignatures({
      signatures,
    }: VerifySmartContractWalletSignaturesRequest): VerifySmartContractWalletSignaturesResponse {
      const responses = signatures.map((signature) => ({
        isValid: identities.verify(signature),
        blockNumber: signature.blockNumber ?? '1',
      }))
      return { responses }
    },
  }
}

export function mlsApi(parts: ApiParts) {
  const { store, faults } = parts
  return {
    RegisterInstallation: (request: UploadKeyPackageRequest) => ({
      installationKey: storeKeyPackage(store, request),
    }),
    UploadKeyPackage(request: UploadKeyPackageRequest) {
      storeKeyPackage(store, request)
      return {}
    },
    FetchKeyPackages({ installationKeys }: FetchKeyPackagesRequest): FetchKeyPackagesResponse {
      const keyPackages = installationKeys.map((key) => ({
        keyPackageTlsSerialized: store.keyPackage(key) ?? new Uint8Array(),
      }))
      return { keyPackages }
    },
    SendGroupMessages(request: SendGroupMessagesRequest) {
      publishGroupMessages(parts, request)
      return {}
    },
    SendWelcomeMessages(request: SendWelcomeMessagesRequest) {
      publishWelcomes(parts, request)
      return {}
    },
    QueryGroupMessages({ groupId, pagingInfo }: QueryGroupMessagesRequest): QueryGroupMessagesResponse {
      const page = store.groupMessages(groupId, pagingInfo)
      if (faults.queryLagMs === 0 && faults.queryLimit === null) {
        return { messages: page.rows.map((v1) => ({ v1 })), pagingInfo: page.pagingInfo }
      }
      const newest = BigInt(parts.now() - faults.queryLagMs) * 1_000_000n
      const seen = page.rows.filter(({ createdNs }) => BigInt(createdNs) <= newest)
      const messages = seen.slice(0, faults.queryLimit ?? seen.length).map((v1) => ({ v1 }))
      const isCut = messages.length < page.rows.length
      return { messages, pagingInfo: { ...page.pagingInfo, ...(isCut ? { idCursor: '0' } : {}) } }
    },
    QueryWelcomeMessages({
      installationKey,
      pagingInfo,
    }: QueryWelcomeMessagesRequest): QueryWelcomeMessagesResponse {
      const page = store.welcomes(installationKey, pagingInfo)
      return { messages: page.rows, pagingInfo: page.pagingInfo }
    },
    GetNewestGroupMessage({
      groupIds,
      includeContent,
    }: GetNewestGroupMessageRequest): GetNewestGroupMessageResponse {
      const responses = groupIds.map((groupId) => {
        const v1 = store.newestGroupMessage(groupId)
        if (!v1) return {}
        return { groupMessage: { v1: includeContent ? v1 : withoutContent(v1) } }
      })
      return { responses }
    },
    BatchPublishCommitLog({ requests }: BatchPublishCommitLogRequest) {
      for (const { groupId, serializedCommitLogEntry, signature } of requests) {
        store.appendCommit(groupId, serializedCommitLogEntry, signature)
      }
      return {}
    },
    BatchQueryCommitLog({ requests }: BatchQueryCommitLogRequest): BatchQueryCommitLogResponse {
      const responses = requests.map(({ groupId, pagingInfo }) => {
        const page = store.commits(groupId, pagingInfo)
        return { groupId, commitLogEntries: page.rows, pagingInfo: page.pagingInfo }
      })
      return { responses }
    },
  }
}

function storeKeyPackage(store: NodeStore, { keyPackage }: UploadKeyPackageRequest): Uint8Array {
  if (!keyPackage) throw new Refusal(status.INVALID_ARGUMENT, 'no key package')
  const bytes = keyPackage.keyPackageTlsSerialized
  const installationKey = parsed(() => installationKeyOf(bytes))
  store.appendKeyPackage(installationKey, bytes)
  return installationKey
}

function publishGroupMessages(parts: ApiParts, { messages }: SendGroupMessagesRequest): void {
  if (messages.length === 0) throw new Refusal(status.INVALID_ARGUMENT, 'no group messages to send')
  const checked = messages.map(({ v1 }) => {
    if (!v1) throw new Refusal(status.INVALID_ARGUMENT, 'invalid group message')
    checkSize(v1.data)
    return { ...v1, ...parsed(() => readMlsMessageHeader(v1.data)) }
  })
  for (const { groupId, data, senderHmac, shouldPush, isCommit } of checked) {
    const v1 = parts.store.appendGroupMessage({ groupId, data, senderHmac, shouldPush, isCommit })
    // The network passes over bytes that a group has already, and answers as if they were new.
    if (v1) parts.groupSubscriptions.publish(hex(groupId), { v1 })
  }
}

function publishWelcomes(parts: ApiParts, { messages }: SendWelcomeMessagesRequest): void {
  if (messages.length === 0) throw new Refusal(status.INVALID_ARGUMENT, 'no welcome messages to send')
  for (const { v1, welcomePointer } of messages) {
    const welcome = v1 ? { v1 } : welcomePointer ? { welcomePointer } : null
    if (!welcome) throw new Refusal(status.INVALID_ARGUMENT, 'invalid welcome message')
    if (v1) checkSize(v1.data)
    const stored = parts.store.appendWelcome(welcome)
    const key = v1 ? v1.installationKey : welcomePointer!.installationKey
    if (stored) parts.welcomeSubscriptions.publish(hex(key), stored)
  }
}

function checkSize(data: Uint8Array): void {
  if (data.length > MAX_MESSAGE_BYTES) {
    throw new Refusal(
      status.INVALID_ARGUMENT,
      `message of ${data.length} bytes is larger than ${MAX_MESSAGE_BYTES}`,
    )
  }
}

function parsed<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    throw new Refusal(status.INVALID_ARGUMENT, (error as Error).message)
  }
}

function withoutContent(message: GroupMessageV1): GroupMessageV1 {
  return { ...message, data: new Uint8Array(), senderHmac: new Uint8Array() }
}
