/** What the client has to know of a mirrored XMTP message before the SDK opens it. */

export interface GroupMessageHead {
  /** Id of the group or DM, hex. */
  conversation: string
  /** The node's id of the message. */
  id: bigint
}

/**
 * Reads `xmtp.mls.api.v1.GroupMessage`: field 1 is `V1`, in which field 1 is the id and field 3 the group id. Null for bytes
 * that are none. Source: github.com/xmtp/proto.
 */
export function readGroupMessageHead(bytes: Uint8Array): GroupMessageHead | null {
  const version = fieldsOf(bytes)?.get(1)
  const fields = version instanceof Uint8Array ? fieldsOf(version) : null
  const id = fields?.get(1)
  const group = fields?.get(3)
  if (typeof id !== 'bigint' || !(group instanceof Uint8Array)) return null
  return { id, conversation: [...group].map((byte) => byte.toString(16).padStart(2, '0')).join('') }
}

/** The last value of each field: a number for wire type 0, else bytes. Null for bytes that are no protobuf message. */
function fieldsOf(message: Uint8Array): Map<number, bigint | Uint8Array> | null {
  const fields = new Map<number, bigint | Uint8Array>()
  let offset = 0

  function varint(): bigint | null {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[offset++]
      if (byte === undefined) return null
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return null
  }

  while (offset < message.length) {
    const tag = varint()
    if (tag === null) return null
    const field = Number(tag >> 3n)
    const wireType = Number(tag & 7n)
    if (wireType === 0) {
      const value = varint()
      if (value === null) return null
      fields.set(field, value)
      continue
    }
    const length = wireType === 1 ? 8n : wireType === 5 ? 4n : wireType === 2 ? varint() : null
    if (length === null || length > BigInt(message.length - offset)) return null
    fields.set(field, message.subarray(offset, offset + Number(length)))
    offset += Number(length)
  }
  return fields
}
