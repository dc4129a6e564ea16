/** Contents and the elements of Tencent Chat's messages, both ways. Pure. */
import { z } from 'zod'
import { AdapterError, type NativeContent } from '../../../src/adapter/index.ts'
import {
  type AttachmentReferenceContent,
  type Content,
  ContentError,
  decodeEncodedContent,
  encodeEncodedContent,
  readContentOrFallback,
  writeContent,
} from '../../../src/content/index.ts'
import {
  EnvelopeError,
  fromBase64url,
  H,
  toBase64url,
  toHex,
  utf8Encode,
} from '../../../src/envelope/index.ts'
import { CARRIAGE_EXTENSION, MAX_MESSAGE_BYTES } from '../carriage.ts'

/** One element of `MsgBody`. Source: https://www.tencentcloud.com/document/product/1047/33527 */
export interface Element {
  MsgType: string
  MsgContent: Record<string, unknown>
}

/** A content of another type in a custom element: its `Data` is base64url of XMTP's `EncodedContent`. */
const CONTENT_EXTENSION = 'causeway-content/1'
/** An application's own custom element, as JSON `{data, description, extension}`. */
export const CUSTOM_TYPE = 'tencent.com/custom:1.0'
const TYPING = 'user_typing_status'
/** Of one message, and as many parts of one composite. */
const MOST_ELEMENTS = 32
/** `Download_Flag` of files: the URL can be fetched as it is. */
const BY_URL = 2

/** One element for each message that the content becomes. Throws `AdapterError` `tooLarge`. */
export function writeElements(native: NativeContent): Element[] {
  const content = readContentOrFallback(native)
  const parts = content.kind === 'composite' ? content.parts : [native]
  return parts.map((part) => {
    const element = writeElement(part, readContentOrFallback(part))
    if (utf8Encode(JSON.stringify(element)).length > MAX_MESSAGE_BYTES - 1_000) {
      throw new AdapterError('tooLarge', 'The message is over 12 KB, the most that TRTC carries')
    }
    return element
  })
}

function writeElement(native: NativeContent, content: Content): Element {
  switch (content.kind) {
    case 'text':
    case 'markdown':
      return { MsgType: 'TIMTextElem', MsgContent: { Text: content.text } }
    case 'attachmentReference':
      return writeFile(content)
    case 'location': {
      const { description, latitude: Latitude, longitude: Longitude } = content
      return { MsgType: 'TIMLocationElem', MsgContent: { Desc: description ?? '', Latitude, Longitude } }
    }
    case 'typing':
      return custom(JSON.stringify(typingData(content.state === 'started')))
  }
  if (native.type === CUSTOM_TYPE) {
    const own = customSchema.safeParse(parseJson(new TextDecoder().decode(native.bytes)))
    if (own.success) return custom(own.data.data, own.data.description, own.data.extension)
  }
  return custom(toBase64url(encodeEncodedContent(native)), native.fallback ?? '', CONTENT_EXTENSION)
}

function custom(Data: string, Desc = '', Ext = ''): Element {
  return { MsgType: 'TIMCustomElem', MsgContent: { Data, Desc, Ext } }
}

/** As the service's own user interface kits write it. */
function typingData(isTyping: boolean) {
  return {
    businessID: TYPING,
    typingStatus: isTyping ? 1 : 0,
    version: 1,
    userAction: 14,
    actionParam: isTyping ? 'EIMAMSG_InputStatus_Ing' : 'EIMAMSG_InputStatus_End',
  }
}

function writeFile(content: AttachmentReferenceContent): Element {
  const { media, url, filename, size, width, height, duration, thumbnail, mimeType } = content
  const UUID = toHex(H('causeway/trtc-file/1', url)).slice(0, 32)
  const Size = size ?? 0
  switch (media) {
    case 'image': {
      const shape = { Size, Width: width ?? 0, Height: height ?? 0 }
      const ImageInfoArray = [1, 2, 3].map((Type) => {
        return { Type, ...shape, URL: Type === 3 ? (thumbnail ?? url) : url }
      })
      return { MsgType: 'TIMImageElem', MsgContent: { UUID, ImageFormat: 255, ImageInfoArray } }
    }
    case 'audio':
      return {
        MsgType: 'TIMSoundElem',
        MsgContent: { Url: url, UUID, Size, Second: Math.round(duration ?? 0), Download_Flag: BY_URL },
      }
    case 'video':
      return {
        MsgType: 'TIMVideoFileElem',
        MsgContent: {
          VideoUrl: url,
          VideoUUID: UUID,
          VideoSize: Size,
          VideoSecond: Math.round(duration ?? 0),
          VideoFormat: mimeType?.split('/')[1] ?? 'mp4',
          VideoDownloadFlag: BY_URL,
          ThumbUrl: thumbnail ?? '',
          ThumbUUID: `${UUID}t`,
          ThumbSize: 0,
          ThumbWidth: width ?? 0,
          ThumbHeight: height ?? 0,
          ThumbFormat: 'JPG',
          ThumbDownloadFlag: BY_URL,
        },
      }
    case 'file':
      return {
        MsgType: 'TIMFileElem',
        MsgContent: { Url: url, UUID, FileSize: Size, FileName: filename ?? 'file', Download_Flag: BY_URL },
      }
  }
}

const text = z.string().transform((value) => value.toWellFormed())
const count = z.number().nonnegative().nullish().catch(null)
const elementSchema = z.looseObject({ MsgType: z.string(), MsgContent: z.looseObject({}) })
const customSchema = z.object({ data: text, description: text, extension: text })
const schemas = {
  TIMTextElem: z.looseObject({ Text: text }),
  TIMImageElem: z.looseObject({
    ImageInfoArray: z
      .array(z.looseObject({ Type: z.number(), URL: text, Size: count, Width: count, Height: count }))
      .min(1),
  }),
  TIMSoundElem: z.looseObject({ Url: text, Size: count, Second: count }),
  TIMFileElem: z.looseObject({ Url: text, FileSize: count, FileName: text.nullish() }),
  TIMVideoFileElem: z.looseObject({
    VideoUrl: text,
    VideoSize: count,
    VideoSecond: count,
    ThumbUrl: text.nullish(),
    ThumbWidth: count,
    ThumbHeight: count,
  }),
  TIMLocationElem: z.looseObject({
    Desc: text.nullish(),
    Latitude: z.number().min(-90).max(90),
    Longitude: z.number().min(-180).max(180),
  }),
  TIMFaceElem: z.looseObject({ Index: z.number(), Data: text.nullish() }),
  TIMCustomElem: z.looseObject({
    Data: text.default(''),
    Desc: text.default(''),
    Ext: text.default(''),
  }),
}

type Reader<Name extends keyof typeof schemas> = (content: z.output<(typeof schemas)[Name]>) => Content | null

const readers: { [Name in keyof typeof schemas]: Reader<Name> } = {
  TIMTextElem: ({ Text }) => ({ kind: 'text', text: Text }),
  TIMImageElem({ ImageInfoArray }) {
    const original = ImageInfoArray.find(({ Type }) => Type === 1) ?? ImageInfoArray[0]!
    const small = ImageInfoArray.find(({ Type }) => Type === 3)
    const { URL: url, Size, Width, Height } = original
    const thumbnail = small && small.URL !== url ? small.URL : null
    return fileOf('image', url, { size: Size, width: Width, height: Height, thumbnail })
  },
  TIMSoundElem: ({ Url, Size, Second }) => fileOf('audio', Url, { size: Size, duration: Second }),
  TIMFileElem: ({ Url, FileSize, FileName }) => fileOf('file', Url, { size: FileSize, filename: FileName }),
  TIMVideoFileElem: ({ VideoUrl, VideoSize, VideoSecond, ThumbUrl, ThumbWidth, ThumbHeight }) =>
    fileOf('video', VideoUrl, {
      size: VideoSize,
      duration: VideoSecond,
      thumbnail: ThumbUrl,
      width: ThumbWidth,
      height: ThumbHeight,
    }),
  TIMLocationElem: ({ Desc, Latitude, Longitude }) => {
    return { kind: 'location', latitude: Latitude, longitude: Longitude, description: Desc || null }
  },
  TIMFaceElem: ({ Index, Data }) => ({
    kind: 'text',
    text: Data ? `[${Data.replace(/^\[|\]$/g, '')}]` : `[face ${Index}]`,
  }),
  TIMCustomElem: readCustom,
}

function fileOf(
  media: AttachmentReferenceContent['media'],
  url: string,
  rest: { [Name in keyof AttachmentReferenceContent]?: AttachmentReferenceContent[Name] | undefined },
): Content {
  const { filename, size, width, height, duration, thumbnail } = rest
  return {
    kind: 'attachmentReference',
    url,
    media,
    mimeType: null,
    filename: filename || null,
    size: size || null,
    width: width || null,
    height: height || null,
    duration: duration || null,
    thumbnail: thumbnail || null,
  }
}

/** Null: nothing to show. */
function readCustom({ Data, Desc, Ext }: { Data: string; Desc: string; Ext: string }): Content | null {
  if (
    Ext === CARRIAGE_EXTENSION ||
    z.looseObject({ businessID: z.literal(TYPING) }).safeParse(parseJson(Data)).success
  )
    return null
  if (Ext === CONTENT_EXTENSION) {
    const carried = readCarried(Data)
    if (carried) return { kind: 'unknown', encoded: carried }
  }
  const body = { data: Data, description: Desc, extension: Ext }
  const encoded = {
    type: CUSTOM_TYPE,
    parameters: {},
    fallback: Desc || '[custom message]',
    bytes: utf8Encode(JSON.stringify(body)),
  }
  return { kind: 'unknown', encoded }
}

function readCarried(data: string): NativeContent | null {
  try {
    return decodeEncodedContent(fromBase64url(data), 'custom element')
  } catch (error) {
    if (error instanceof ContentError || error instanceof EnvelopeError) return null // an application that uses our extension
    throw error
  }
}

/**
 * What a message says; several elements become a composite. Null for what is no message of a person: frames, signals, and
 * bodies without elements.
 */
export function readElements(body: unknown): NativeContent | null {
  const elements = z.array(elementSchema).max(MOST_ELEMENTS).safeParse(body)
  if (!elements.success) return null
  const contents = elements.data.map(readElement).filter((content) => content !== null)
  const natives = contents.map(writeContent)
  const parts = natives.length > 1 ? natives.flatMap(partsOf).slice(0, MOST_ELEMENTS) : natives
  const [first, ...others] = parts
  if (first === undefined) return null
  return others.length === 0 ? first : writeContent({ kind: 'composite', parts })
}

/** A composite is no part of another: its own parts stand in its place, none where it cannot be read. */
function partsOf(native: NativeContent): readonly NativeContent[] {
  if (!native.type.startsWith('xmtp.org/composite:')) return [native]
  const content = readContentOrFallback(native)
  return content.kind === 'composite' ? content.parts : []
}

function readElement({ MsgType, MsgContent }: z.output<typeof elementSchema>): Content | null {
  if (Object.hasOwn(schemas, MsgType)) {
    const name = MsgType as keyof typeof schemas
    const parsed = schemas[name].safeParse(MsgContent)
    if (parsed.success) return readers[name](parsed.data as never)
  }
  const name = /^TIM([A-Z][A-Za-z]{0,30})Elem$/.exec(MsgType)?.[1] ?? 'Unknown'
  const encoded = {
    type: `tencent.com/${name[0]?.toLowerCase()}${name.slice(1)}:1.0`,
    parameters: {},
    fallback: `[${name}]`,
    bytes: utf8Encode(jsonOf(MsgContent)),
  }
  return { kind: 'unknown', encoded }
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value).toWellFormed()
  } catch (error) {
    // What can be parsed may be nested too deep to be written again.
    if (error instanceof RangeError) return '{}'
    throw error
  }
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return null // custom elements hold whatever applications put there
  }
}
