/** Words of the service's protocol that its parts share. SANDBOX: a stand-in, not the service. */

export type JsonObject = Record<string, unknown>

/** One element of `MsgBody`. */
export interface MessageElement {
  MsgType: string
  MsgContent: JsonObject
}

/** A one-to-one message as the stand-in keeps it. Times are Unix seconds. */
export interface DirectMessage {
  From_Account: string
  To_Account: string
  MsgSeq: number
  MsgRandom: number
  MsgTimeStamp: number
  MsgClientTime: number
  MsgKey: string
  MsgId: string
  MsgBody: MessageElement[]
  CloudCustomData: string
  /** 8: recalled. */
  MsgFlagBits: number
  /** How often it was modified. */
  MsgVersion: number
  /** Not kept: only clients that are online get it. */
  onlineOnly: boolean
}

/** A client that is connected and logged in. */
export interface Session {
  userId: string
  push(body: JsonObject): void
}

/** `OptPlatform` of a webhook: who did it. */
export type Platform = 'RESTAPI' | 'Web'

/** An answer with an error code of the service. */
export class ServiceError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export const ok = { ActionStatus: 'OK', ErrorInfo: '', ErrorCode: 0 } as const

export function failure(code: number, message: string): JsonObject {
  return { ActionStatus: 'FAIL', ErrorInfo: message, ErrorCode: code }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Readers of request fields; each answers with `code` when the field is missing or of another type. */
export function textField(body: JsonObject, name: string, code = 10004): string {
  const value = body[name]
  if (typeof value !== 'string') throw new ServiceError(code, `${name} must be a string`)
  return value
}

export function numberField(body: JsonObject, name: string, code = 10004): number {
  const value = body[name]
  if (typeof value !== 'number') throw new ServiceError(code, `${name} must be a number`)
  return value
}

export function optionalText(body: JsonObject, name: string, otherwise = ''): string {
  return body[name] === undefined ? otherwise : textField(body, name)
}

export function optionalNumber(body: JsonObject, name: string, otherwise: number): number {
  return body[name] === undefined ? otherwise : numberField(body, name)
}

export function textList(body: JsonObject, name: string, code = 10004): string[] {
  const value = body[name]
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw new ServiceError(code, `${name} must be a list of strings`)
  }
  return value
}

export function objectList(body: JsonObject, name: string, code = 10004): JsonObject[] {
  const value = body[name]
  if (!Array.isArray(value) || !value.every(isObject)) {
    throw new ServiceError(code, `${name} must be a list of objects`)
  }
  return value
}

/** `MsgBody`: a list, not empty, of elements. */
export function messageBody(body: JsonObject): MessageElement[] {
  const elements = objectList(body, 'MsgBody', 90007)
  if (elements.length === 0) throw new ServiceError(90007, 'MsgBody must not be empty')
  return elements.map((element) => {
    if (!isObject(element.MsgContent)) throw new ServiceError(90002, 'MsgContent must be an object')
    return { MsgType: textField(element, 'MsgType', 90002), MsgContent: element.MsgContent }
  })
}
