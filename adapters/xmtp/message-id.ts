/** The id that libxmtp gives to a message, known before it is sent: the same conversation, content and key give the same id. */
import { createHash } from 'node:crypto'
import { fromHex, utf8Encode } from '../../src/envelope/index.ts'
import type { EncodedEnvelope } from './codec.ts'

/** libxmtp puts it between the parts that it hashes. */
const SEPARATOR = utf8Encode('\t')

/**
 * SHA-256 over group id, key and encoded content, as `calculate_message_id` of libxmtp has it; lower-case hex. `key` is the
 * `idempotencyKey` of the send.
 */
export function messageIdOf(groupId: string, key: string, content: EncodedEnvelope): string {
  return createHash('sha256')
    .update(fromHex(groupId))
    .update(SEPARATOR)
    .update(key)
    .update(SEPARATOR)
    .update(encodeContent(content))
    .digest('hex')
}

/** `xmtp.mls.message_contents.EncodedContent` in protobuf, fields in the order of their numbers as libxmtp writes them. */
function encodeContent({ type, parameters, fallback, content }: EncodedEnvelope): Uint8Array {
  const parts: Uint8Array[] = []
  if (type) {
    parts.push(
      lengthDelimited(
        1,
        Buffer.concat([
          text(1, type.authorityId),
          text(2, type.typeId),
          number(3, type.versionMajor),
          number(4, type.versionMinor),
        ]),
      ),
    )
  }
  for (const [name, value] of Object.entries(parameters)) {
    parts.push(lengthDelimited(2, Buffer.concat([text(1, name), text(2, value)])))
  }
  if (fallback !== undefined) parts.push(lengthDelimited(3, utf8Encode(fallback)))
  if (content.length > 0) parts.push(lengthDelimited(4, content))
  return Buffer.concat(parts)
}

function lengthDelimited(field: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint((field << 3) | 2), varint(bytes.length), bytes])
}

/** Fields with the default value of their type are left out. */
function text(field: number, value: string): Uint8Array {
  return value === '' ? new Uint8Array() : lengthDelimited(field, utf8Encode(value))
}

function number(field: number, value: number): Uint8Array {
  return value === 0 ? new Uint8Array() : Buffer.concat([varint(field << 3), varint(value)])
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
