/** Files: inside of the message, kept elsewhere encrypted (XMTP), or by a plain URL (Causeway's own type). */
import { concatBytes, fromHex, toHex } from '../envelope/index.ts'
import type { Codec } from './codec.ts'
import { bytesInvalid } from './errors.ts'
import { readJson, writeJson } from './json.ts'
import { field, optionalField, readFields } from './protobuf.ts'
import { MEDIA, type RemoteAttachment, TYPES } from './types.ts'
import { bytesOf, textOf } from './utf8.ts'

export const attachment: Codec<'attachment'> = {
  type: TYPES.attachment,
  read({ parameters, bytes }) {
    const { mimeType, filename } = parameters
    if (mimeType === undefined) throw bytesInvalid('attachment', 'it has no `mimeType`')
    return { kind: 'attachment', filename: filename ?? null, mimeType, bytes }
  },
  write({ filename, mimeType, bytes }) {
    return {
      parameters: { ...(filename === null ? {} : { filename }), mimeType },
      fallback: `Can't display ${filename ?? 'this content'}. This app doesn't support attachments.`,
      bytes,
    }
  },
}

export const remoteAttachment: Codec<'remoteAttachment'> = {
  type: TYPES.remoteAttachment,
  read({ parameters, bytes }) {
    const { contentDigest, contentLength, filename, scheme } = parameters
    if (contentDigest === undefined) throw bytesInvalid('remote attachment', 'it has no `contentDigest`')
    return {
      kind: 'remoteAttachment',
      url: textOf(bytes, 'remote attachment'),
      contentDigest,
      secret: hexParameter(parameters, 'secret'),
      salt: hexParameter(parameters, 'salt'),
      nonce: hexParameter(parameters, 'nonce'),
      scheme: scheme ?? '',
      contentLength: contentLength === undefined ? null : lengthOf(contentLength),
      filename: filename ?? null,
    }
  },
  write({ url, contentDigest, secret, salt, nonce, scheme, contentLength, filename }) {
    return {
      parameters: {
        contentDigest,
        secret: toHex(secret),
        salt: toHex(salt),
        nonce: toHex(nonce),
        scheme,
        ...(contentLength === null ? {} : { contentLength: String(contentLength) }),
        ...(filename === null ? {} : { filename }),
      },
      fallback: `Can't display ${filename ?? 'this content'}. This app doesn't support remote attachments.`,
      bytes: bytesOf(url),
    }
  },
}

function hexParameter(parameters: Record<string, string>, name: string): Uint8Array {
  const text = parameters[name]
  if (text === undefined || !/^(?:[0-9a-f]{2})*$/i.test(text)) {
    throw bytesInvalid('remote attachment', `\`${name}\` is not hexadecimal`)
  }
  return fromHex(text.toLowerCase())
}

function lengthOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw bytesInvalid('remote attachment', '`contentLength` is not a number')
  return Number(text)
}

export const multiRemoteAttachment: Codec<'multiRemoteAttachment'> = {
  type: TYPES.multiRemoteAttachment,
  read({ bytes }) {
    const what = 'remote attachment'
    const attachments = readFields(bytes, what)
      .messages(1)
      .map((message): RemoteAttachment => {
        const fields = readFields(message, what)
        return {
          contentDigest: fields.text(1),
          secret: fields.bytes(2).slice(),
          nonce: fields.bytes(3).slice(),
          salt: fields.bytes(4).slice(),
          scheme: fields.text(5),
          url: fields.text(6),
          contentLength: fields.optionalNumber(7),
          filename: fields.optionalText(8),
        }
      })
    return { kind: 'multiRemoteAttachment', attachments }
  },
  write({ attachments }) {
    const messages = attachments.map((one) =>
      optionalField(
        1,
        concatBytes(
          field(1, one.contentDigest),
          field(2, one.secret),
          field(3, one.nonce),
          field(4, one.salt),
          field(5, one.scheme),
          field(6, one.url),
          optionalField(7, one.contentLength),
          optionalField(8, one.filename),
        ),
      ),
    )
    return {
      parameters: {},
      fallback: "Can't display this content. This app doesn't support multiple remote attachments.",
      bytes: concatBytes(...messages),
    }
  },
}

export const attachmentReference: Codec<'attachmentReference'> = {
  type: TYPES.attachmentReference,
  read({ bytes }) {
    const members = readJson(bytes, 'attachment reference')
    return {
      kind: 'attachmentReference',
      url: members.text('url'),
      media: members.oneOf('media', MEDIA),
      mimeType: members.optionalText('mimeType'),
      filename: members.optionalText('filename'),
      size: members.optionalNumber('size'),
      width: members.optionalNumber('width'),
      height: members.optionalNumber('height'),
      duration: members.optionalNumber('duration'),
      thumbnail: members.optionalText('thumbnail'),
    }
  },
  write({ kind: _kind, ...members }) {
    const { filename, url } = members
    return {
      parameters: {},
      fallback: filename === null ? url : `${filename}: ${url}`,
      bytes: writeJson(members),
    }
  },
}
