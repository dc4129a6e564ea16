/**
 * The Causeway client library. Runs unchanged in browsers and in Node 22.18 or newer.
 *
 * @example
 * import { createClient } from 'causeway/client'
 */

export type * from '../content/types.ts'
export { type Api, createApi } from './api.ts'
export { type Client, createClient, readGateway } from './client.ts'
export { contentFor, contentOf } from './contents.ts'
export type {
  Consent,
  Conversation,
  ConversationFilter,
  ConversationPage,
  ConversationState,
  Conversations,
  InboxSettings,
} from './conversations.ts'
export { type DualPiece, type DualSent, type NativeSend, XMTP_MESSAGE_ID } from './dual.ts'
export type { BegunEnrolment, EnrolmentInfo, Enrolments, EnrolmentTermsInfo } from './enrolments.ts'
export { ClientError, type ClientErrorCode, isTransient } from './errors.ts'
export type { InboxOptions, LiveOptions } from './inbox.ts'
export type { PushPiece, ShownPushMessage } from './push.ts'
export type * from './push-types.ts'
export { TEXT_TYPE } from './sealing.ts'
export { SOLANA_MAINNET, solanaSigner } from './solana.ts'
export { type ClientStorage, memoryStorage, webStorage } from './storage.ts'
export type {
  Attestation,
  ClientOptions,
  GatewayInfo,
  InboxEntry,
  Journey,
  Message,
  OutgoingMessage,
  SealedMessage,
  SentMessage,
  WalletInfo,
  WalletSigner,
} from './types.ts'
export type { XmtpPiece } from './xmtp.ts'
export type * from './xmtp-types.ts'
