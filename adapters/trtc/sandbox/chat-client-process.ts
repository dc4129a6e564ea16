/** The child of `chat-client.ts`: one unmodified `@tencentcloud/chat` client, told what to do over IPC. */
import * as sdkModule from '@tencentcloud/chat'
import type { ChatCredentials, ChatPayload, ChatReport, ChatRequest, NativeMessage } from './chat-client.ts'

/** What is used of the SDK. Its own types describe a default export that the module does not have at run time in Node. */
interface Sdk {
  create(options: { SDKAppID: number; proxyServer: string }): Chat
  EVENT: { SDK_READY: string; MESSAGE_RECEIVED: string; MESSAGE_REVOKED: string }
  TYPES: { CONV_C2C: string; CONV_GROUP: string; MSG_CUSTOM: string; MSG_TEXT: string; GRP_MEETING: string }
}
interface Chat {
  setLogLevel(level: number): void
  on(event: string, listener: (event: { data: SdkMessage[] }) => void): void
  login(user: { userID: string; userSig: string }): Promise<unknown>
  createCustomMessage(options: object): SdkMessage
  createTextMessage(options: object): SdkMessage
  createFaceMessage(options: object): SdkMessage
  createLocationMessage(options: object): SdkMessage
  revokeMessage(message: SdkMessage): Promise<unknown>
  setMessageRead(options: { conversationID: string }): Promise<unknown>
  sendMessage(message: SdkMessage, options: object): Promise<{ data: { message: SdkMessage } }>
  joinGroup(options: { groupID: string }): Promise<unknown>
  createGroup(options: { groupID: string; name: string; type: string }): Promise<unknown>
  getMessageList(options: { conversationID: string }): Promise<{ data: { messageList: SdkMessage[] } }>
  destroy(): Promise<unknown>
}
interface SdkMessage {
  ID: string
  from: string
  to: string
  conversationType: string
  type: string
  time: number
  sequence: number
  random: number
  payload: { text?: string; data?: string; description?: string; extension?: string }
  cloudCustomData?: string
}

/** Only errors are logged. */
const LOG_LEVEL = 4

const sdk = ((sdkModule as { default?: unknown }).default ?? sdkModule) as Sdk
let chat: Chat | null = null
/** Messages that this client sent, by id: the SDK takes back its own objects alone. */
const sentMessages = new Map<string, SdkMessage>()

function report(message: ChatReport): void {
  process.send?.(message)
}

function native(message: SdkMessage): NativeMessage {
  const { payload } = message
  return {
    id: message.ID,
    messageKey: `${message.sequence}_${message.random}_${message.time}`,
    from: message.from,
    to: message.to,
    isGroup: message.conversationType === sdk.TYPES.CONV_GROUP,
    time: message.time,
    text: message.type === sdk.TYPES.MSG_TEXT ? (payload.text ?? '') : null,
    custom:
      message.type === sdk.TYPES.MSG_CUSTOM
        ? {
            data: payload.data ?? '',
            description: payload.description ?? '',
            extension: payload.extension ?? '',
          }
        : null,
    cloudCustomData: message.cloudCustomData ?? '',
    type: message.type,
    payload: JSON.parse(JSON.stringify(payload)) as Record<string, unknown>,
  }
}

async function connect(credentials: ChatCredentials): Promise<void> {
  const created = sdk.create({ SDKAppID: credentials.sdkAppId, proxyServer: credentials.proxyServer })
  chat = created
  created.setLogLevel(LOG_LEVEL)
  const ready = new Promise<void>((resolve) => {
    created.on(sdk.EVENT.SDK_READY, () => resolve())
  })
  created.on(sdk.EVENT.MESSAGE_RECEIVED, ({ data }) => {
    for (const message of data) report({ type: 'message', message: native(message) })
  })
  created.on(sdk.EVENT.MESSAGE_REVOKED, ({ data }) => {
    for (const message of data) report({ type: 'revoked', messageKey: native(message).messageKey })
  })
  await created.login({ userID: credentials.userId, userSig: credentials.userSig })
  await ready
}

async function handle(client: Chat, request: Exclude<ChatRequest, { method: 'connect' }>): Promise<unknown> {
  switch (request.method) {
    case 'send': {
      const { to, payload, options } = request
      const common = {
        to,
        conversationType: options.isGroup ? sdk.TYPES.CONV_GROUP : sdk.TYPES.CONV_C2C,
        ...(options.cloudCustomData ? { cloudCustomData: options.cloudCustomData } : {}),
      }
      const message = compose(client, common, payload)
      const sent = await client.sendMessage(message, { onlineUserOnly: options.onlineOnly ?? false })
      sentMessages.set(sent.data.message.ID, sent.data.message)
      return native(sent.data.message)
    }
    case 'revoke': {
      const message = sentMessages.get(request.id)
      if (!message) throw new Error('this client sent no such message')
      await client.revokeMessage(message)
      return null
    }
    case 'setRead':
      await client.setMessageRead({ conversationID: `C2C${request.peer}` })
      return null
    case 'createGroup': {
      const { groupId, name } = request
      await client.createGroup({ groupID: groupId, name, type: sdk.TYPES.GRP_MEETING })
      return null
    }
    case 'joinGroup':
      await client.joinGroup({ groupID: request.groupId })
      return null
    case 'messageList': {
      const answer = await client.getMessageList({ conversationID: `C2C${request.peer}` })
      return answer.data.messageList.map(native)
    }
    case 'close':
      await client.destroy().catch(() => {
        // refused (2024) when it is not logged in; the process ends in any case
      })
      process.exit(0)
  }
}

function compose(client: Chat, common: object, payload: ChatPayload): SdkMessage {
  if (typeof payload === 'string') return client.createTextMessage({ ...common, payload: { text: payload } })
  if ('index' in payload) return client.createFaceMessage({ ...common, payload })
  if ('latitude' in payload) return client.createLocationMessage({ ...common, payload })
  return client.createCustomMessage({ ...common, payload })
}

function codeOf(error: unknown): number {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number'
    ? error.code
    : 0
}

/** The SDK's errors can quote its whole source, so only the first line is told, cut. */
function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('\n')[0] ?? '').slice(0, 300)
}

function crash(error: unknown): void {
  process.exitCode = 1
  const crashed: ChatReport = { type: 'crashed', reason: `${codeOf(error)} ${textOf(error)}` }
  // The report leaves before the process does.
  if (process.send) process.send(crashed, undefined, {}, () => process.exit(1))
  else process.exit(1)
}

process.on('unhandledRejection', crash)
process.on('uncaughtException', crash)
process.on('disconnect', () => process.exit(0))
process.on('message', (request: ChatRequest & { call: number }) => {
  const { call } = request
  if (request.method === 'close' && !chat) process.exit(0)
  const work =
    request.method === 'connect'
      ? connect(request.credentials)
      : chat
        ? handle(chat, request)
        : Promise.reject(new Error('not connected'))
  work.then(
    (value) => report({ type: 'result', call, value }),
    (error: unknown) => report({ type: 'failed', call, code: codeOf(error), message: textOf(error) }),
  )
})
