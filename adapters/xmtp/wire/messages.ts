/** Shapes of the wire messages in JavaScript. 64-bit integers are decimal strings, absent messages null. */

export interface PagingInfo {
  /** 1 ascending, anything else descending. */
  direction: number
  limit: number
  idCursor: string
}

export interface PublishIdentityUpdateRequest {
  identityUpdate: Buffer
}
export interface GetIdentityUpdatesRequest {
  requests: { inboxId: string; sequenceId: string }[]
}
export interface GetIdentityUpdatesResponse {
  responses: {
    inboxId: string
    updates: { sequenceId: string; serverTimestampNs: string; update: Uint8Array }[]
  }[]
}
export interface GetInboxIdsRequest {
  requests: { identifier: string; identifierKind: number }[]
}
export interface GetInboxIdsResponse {
  responses: { identifier: string; identifierKind: number; inboxId?: string }[]
}
export interface SmartContractWalletSignature {
  /** CAIP-10, e.g. `eip155:1:0x…` */
  accountId: string
  blockNumber?: string
  signature: Buffer
  hash: Buffer
}
export interface VerifySmartContractWalletSignaturesRequest {
  signatures: SmartContractWalletSignature[]
}
export interface VerifySmartContractWalletSignaturesResponse {
  responses: { isValid: boolean; blockNumber?: string; error?: string }[]
}

export interface MemberIdentifier {
  kind?: 'ethereumAddress' | 'installationPublicKey' | 'passkey'
  ethereumAddress?: string
  installationPublicKey?: Buffer
  passkey?: Buffer
}
export interface IdentityAction {
  kind?: 'createInbox' | 'add' | 'revoke' | 'changeRecoveryAddress'
  createInbox?: { initialIdentifier: string; nonce: string }
  add?: { newMemberIdentifier: MemberIdentifier | null }
  revoke?: { memberToRevoke: MemberIdentifier | null }
}
export interface IdentityUpdate {
  actions: IdentityAction[]
  inboxId: string
}

export interface UploadKeyPackageRequest {
  keyPackage: { keyPackageTlsSerialized: Buffer } | null
}
export interface FetchKeyPackagesRequest {
  installationKeys: Buffer[]
}
export interface FetchKeyPackagesResponse {
  keyPackages: { keyPackageTlsSerialized: Uint8Array }[]
}

export interface GroupMessageInput {
  v1?: { data: Buffer; senderHmac: Buffer; shouldPush: boolean } | null
}
/** A message of a group or DM as the network hands it out; `data` is an MLS message. */
export interface GroupMessageV1 {
  id: string
  createdNs: string
  groupId: Uint8Array
  data: Uint8Array
  senderHmac: Uint8Array
  shouldPush: boolean
  isCommit: boolean
}
export interface GroupMessage {
  v1?: GroupMessageV1 | null
}
export interface SendGroupMessagesRequest {
  messages: GroupMessageInput[]
}
export interface QueryGroupMessagesRequest {
  groupId: Uint8Array
  pagingInfo: PagingInfo | null
}
export interface QueryGroupMessagesResponse {
  messages: GroupMessage[]
  pagingInfo: PagingInfo | null
}
export interface SubscribeGroupMessagesRequest {
  filters: { groupId: Uint8Array; idCursor: string }[]
}
export interface GetNewestGroupMessageRequest {
  groupIds: Buffer[]
  includeContent: boolean
}
export interface GetNewestGroupMessageResponse {
  responses: { groupMessage?: GroupMessage }[]
}

export interface WelcomeInputV1 {
  installationKey: Buffer
  data: Buffer
  hpkePublicKey: Buffer
  wrapperAlgorithm: number
  welcomeMetadata: Buffer
}
export interface WelcomeInputPointer {
  installationKey: Buffer
  welcomePointer: Buffer
  hpkePublicKey: Buffer
  wrapperAlgorithm: number
}
export interface WelcomeMessageInput {
  v1?: WelcomeInputV1 | null
  welcomePointer?: WelcomeInputPointer | null
}
export interface WelcomeMessageV1 {
  id: string
  createdNs: string
  installationKey: Uint8Array
  data: Uint8Array
  hpkePublicKey: Uint8Array
  wrapperAlgorithm: number
  welcomeMetadata: Uint8Array
}
export interface WelcomePointer {
  id: string
  createdNs: string
  installationKey: Uint8Array
  welcomePointer: Uint8Array
  hpkePublicKey: Uint8Array
  wrapperAlgorithm: number
}
export interface WelcomeMessage {
  v1?: WelcomeMessageV1 | null
  welcomePointer?: WelcomePointer | null
}
export interface SendWelcomeMessagesRequest {
  messages: WelcomeMessageInput[]
}
export interface QueryWelcomeMessagesRequest {
  installationKey: Uint8Array
  pagingInfo: PagingInfo | null
}
export interface QueryWelcomeMessagesResponse {
  messages: WelcomeMessage[]
  pagingInfo: PagingInfo | null
}
export interface SubscribeWelcomeMessagesRequest {
  filters: { installationKey: Uint8Array; idCursor: string }[]
}

export interface BatchPublishCommitLogRequest {
  requests: { groupId: Buffer; serializedCommitLogEntry: Buffer; signature: Buffer }[]
}
export interface BatchQueryCommitLogRequest {
  requests: { groupId: Buffer; pagingInfo: PagingInfo | null }[]
}
export interface BatchQueryCommitLogResponse {
  responses: {
    groupId: Uint8Array
    commitLogEntries: {
      sequenceId: string
      serializedCommitLogEntry: Uint8Array
      signature: Uint8Array
    }[]
    pagingInfo: PagingInfo
  }[]
}
