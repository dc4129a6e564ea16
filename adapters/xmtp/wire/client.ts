/** A node spoken to without an SDK and without keys: whoever knows a group's id can follow its ciphertext. */
import { Client, credentials, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js'
import {
  type GroupMessageV1,
  groupMessageCodec,
  identityService,
  MAX_CALL_BYTES,
  mlsService,
  type QueryGroupMessagesRequest,
  type QueryGroupMessagesResponse,
  type QueryWelcomeMessagesRequest,
  type QueryWelcomeMessagesResponse,
  type SubscribeGroupMessagesRequest,
  type SubscribeWelcomeMessagesRequest,
  type WelcomeMessage,
  welcomeMessageCodec,
} from './index.ts'
import { repeatedField } from './protobuf.ts'

/** A message with the bytes in which it came, as `processStreamedMessage` of the SDK takes them. */
export interface Streamed<Message> {
  bytes: Uint8Array
  message: Message
}

export interface NodeClient {
  /**
   * One call of either service by its name, e.g. `GetInboxIds`. Rejects with the `ServiceError` of gRPC, whose `code` is a
   * `status`, or with the signal's reason.
   */
  call<Response>(method: string, request: object, signal?: AbortSignal): Promise<Response>
  queryGroupMessages(
    request: QueryGroupMessagesRequest,
    signal?: AbortSignal,
  ): Promise<QueryGroupMessagesResponse>
  queryWelcomeMessages(
    request: QueryWelcomeMessagesRequest,
    signal?: AbortSignal,
  ): Promise<QueryWelcomeMessagesResponse>
  /** As `queryGroupMessages`, with the bytes of each message as the node sent them. */
  readGroupMessages(
    request: QueryGroupMessagesRequest,
    signal?: AbortSignal,
  ): Promise<Streamed<GroupMessageV1>[]>
  /**
   * What comes after each cursor, and then what is published, until the signal aborts: then it rejects with its reason.
   * `onOpen` is called once the node has answered.
   */
  subscribeGroupMessages(
    filters: SubscribeGroupMessagesRequest['filters'],
    signal: AbortSignal,
    onOpen?: () => void,
  ): AsyncIterable<Streamed<GroupMessageV1>>
  subscribeWelcomeMessages(
    filters: SubscribeWelcomeMessagesRequest['filters'],
    signal: AbortSignal,
    onOpen?: () => void,
  ): AsyncIterable<Streamed<WelcomeMessage>>
  close(): void
}

/** Prepares a connection to a node's gRPC address, `http://…` or `https://…`; it is made with the first call. */
export function connectNode(apiUrl: string): NodeClient {
  const { protocol, host, hostname } = new URL(apiUrl)
  const isSecure = protocol === 'https:'
  const target = host === hostname ? `${host}:${isSecure ? 443 : 80}` : host
  const channel = new Client(target, isSecure ? credentials.createSsl() : credentials.createInsecure(), {
    'grpc.max_receive_message_length': MAX_CALL_BYTES,
  })

  function call<Response>(method: string, request: object, signal?: AbortSignal): Promise<Response> {
    return exchange(method, request, definitionOf(method).responseDeserialize, signal) as Promise<Response>
  }

  function exchange<Response extends object>(
    method: string,
    request: object,
    read: (bytes: Buffer) => Response,
    signal?: AbortSignal,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const { path, requestSerialize } = definitionOf(method)
      const running = channel.makeUnaryRequest(
        path,
        requestSerialize,
        read,
        request,
        (error: ServiceError | null, response?: Response) => {
          signal?.removeEventListener('abort', cancel)
          if (!error) resolve(response as Response)
          else reject(signal?.aborted && error.code === status.CANCELLED ? signal.reason : error)
        },
      )
      const cancel = () => running.cancel()
      signal?.addEventListener('abort', cancel, { once: true })
    })
  }

  async function* subscribe<Message>(
    method: string,
    request: object,
    read: (bytes: Buffer) => Message | null | undefined,
    signal: AbortSignal,
    onOpen?: () => void,
  ): AsyncGenerator<Streamed<Message>> {
    signal.throwIfAborted()
    const { path, requestSerialize } = definitionOf(method)
    const stream = channel.makeServerStreamRequest(path, requestSerialize, (bytes) => bytes, request)
    const cancel = () => stream.cancel()
    signal.addEventListener('abort', cancel, { once: true })
    if (onOpen) stream.once('metadata', onOpen)
    try {
      for await (const bytes of stream as AsyncIterable<Buffer>) {
        const message = read(bytes)
        if (message) yield { bytes, message }
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      signal.removeEventListener('abort', cancel)
      stream.cancel()
    }
  }

  return {
    call,
    queryGroupMessages: (request, signal) => call('QueryGroupMessages', request, signal),
    queryWelcomeMessages: (request, signal) => call('QueryWelcomeMessages', request, signal),
    async readGroupMessages(request, signal) {
      const answer = await exchange('QueryGroupMessages', request, (bytes) => bytes, signal)
      return repeatedField(answer, 1).flatMap((bytes) => {
        const message = groupMessageCodec.decode(bytes).v1
        return message ? [{ bytes, message }] : []
      })
    },
    subscribeGroupMessages: (filters, signal, onOpen) =>
      subscribe(
        'SubscribeGroupMessages',
        { filters },
        (bytes) => groupMessageCodec.decode(bytes).v1,
        signal,
        onOpen,
      ),
    subscribeWelcomeMessages: (filters, signal, onOpen) =>
      subscribe(
        'SubscribeWelcomeMessages',
        { filters },
        (bytes) => welcomeMessageCodec.decode(bytes),
        signal,
        onOpen,
      ),
    close: () => channel.close(),
  }
}

function definitionOf(method: string): MethodDefinition<object, object> {
  const definition = mlsService[method] ?? identityService[method]
  if (!definition) throw new RangeError(`no method ${method}`)
  return definition as MethodDefinition<object, object>
}
