/**
 * XMTP's own wire, protocol V3: gRPC services and messages, and what an MLS message shows without its keys. The SDK keeps
 * its wire to itself; this is for those who speak to a node without an SDK: the sandbox, and subscribers without keys.
 */
import { fileURLToPath } from 'node:url'
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { GroupMessage, IdentityUpdate, WelcomeMessage } from './messages.ts'

export type * from './messages.ts'
export { installationKeyOf, type MlsMessageHeader, readMlsMessageHeader } from './mls.ts'

/** Largest MLS message that the network takes, in bytes. Source: docs.xmtp.org, FAQ. */
export const MAX_MESSAGE_BYTES = 1_048_214

/** More than one call of the network ever carries: a batch of messages, in bytes. */
export const MAX_CALL_BYTES = 25 * 1024 * 1024

/** Most rows in one answer of the network, and its default. */
export const MAX_PAGE_SIZE = 100

export const SORT_ASCENDING = 1
export const SORT_DESCENDING = 2

const definitions = loadSync(
  ['identity.proto', 'mls.proto'].map((name) => fileURLToPath(new URL(name, import.meta.url))),
  { longs: String, defaults: true, oneofs: true },
)

interface Codec<Message> {
  encode(message: Message): Buffer
  /** Throws for bytes that are no such message. */
  decode(bytes: Uint8Array): Message
}

/** The services by their full names, as `grpc.Server.addService` and `grpc.makeGenericClientConstructor` take them. */
export const identityService = service('xmtp.identity.api.v1.IdentityApi')
export const mlsService = service('xmtp.mls.api.v1.MlsApi')

/** The bytes that `processStreamedMessage` of the SDK takes. */
export const groupMessageCodec = codec<GroupMessage>('xmtp.mls.api.v1.GroupMessage')
export const welcomeMessageCodec = codec<WelcomeMessage>('xmtp.mls.api.v1.WelcomeMessage')
export const identityUpdateCodec = codec<IdentityUpdate>('xmtp.identity.api.v1.IdentityUpdate')

function service(name: string): ServiceDefinition {
  return definitions[name] as Record<string, MethodDefinition<object, object>>
}

function codec<Message>(name: string): Codec<Message> {
  const definition = definitions[name] as unknown as {
    serialize(value: Message): Buffer
    deserialize(bytes: Buffer): Message
  }
  return {
    encode: definition.serialize,
    decode: (bytes) => definition.deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  }
}
