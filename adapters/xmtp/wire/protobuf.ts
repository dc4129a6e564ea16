/**
 * The bytes of each element of a repeated message field (wire type 2), as they stand in an encoded message. What a codec reads
 * and writes again may differ from what was sent, in fields that it does not know. Throws `RangeError` for bytes that are no
 * message.
 */
export function repeatedField(message: Uint8Array, field: number): Uint8Array[] {
  const elements: Uint8Array[] = []
  let offset = 0

  function varint(): number {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[offset++]
      if (byte === undefined || scale > 2 ** 63) throw new RangeError('the message ends within a number')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
  }
  function advance(count: number): Uint8Array {
    if (count > message.length - offset) throw new RangeError('the message ends within a field')
    offset += count
    return message.subarray(offset - count, offset)
  }

  while (offset < message.length) {
    const tag = varint()
    const wireType = tag & 7
    if (wireType === 0) varint()
    else if (wireType === 1) advance(8)
    else if (wireType === 5) advance(4)
    else if (wireType === 2) {
      const content = advance(varint())
      if (Math.floor(tag / 8) === field) elements.push(content)
    } else throw new RangeError(`wire type ${wireType} is not read`)
  }
  return elements
}
