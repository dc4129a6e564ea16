/** JSON contents: objects with known members, read one by one. Members that are not known are passed over. */
import { bytesInvalid } from './errors.ts'
import { bytesOf, textOf } from './utf8.ts'

/** Members of an object. Absent and null are the same. Each throws `content-bytes-invalid` for a value of another kind. */
export interface Members {
  text(name: string): string
  optionalText(name: string): string | null
  number(name: string): number
  optionalNumber(name: string): number | null
  /** One of these texts. */
  oneOf<T extends string>(name: string, values: readonly T[]): T
  object(name: string): Members
  optionalObject(name: string): Members | null
  objects(name: string): Members[]
  /** A map of text to text, or null. */
  optionalTexts(name: string): Record<string, string> | null
  texts(name: string): string[]
}

/** Throws `content-bytes-invalid` unless the bytes are one JSON object. */
export function readJson(bytes: Uint8Array, what: string): Members {
  const text = textOf(bytes, what)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw bytesInvalid(what, 'it is not JSON', { cause })
  }
  return membersOf(value, what, 'it')
}

/** Bytes of an object; members that are null are left out. Throws `content-value-invalid`. */
export function writeJson(value: Record<string, unknown>): Uint8Array {
  return bytesOf(JSON.stringify(value, (_name, member: unknown) => member ?? undefined))
}

function membersOf(value: unknown, what: string, place: string): Members {
  if (!isRecord(value)) throw bytesInvalid(what, `${place} is not an object`)
  const record = value
  const wrong = (name: string, wanted: string) => bytesInvalid(what, `\`${name}\` is not ${wanted}`)
  const read = (name: string): unknown => (Object.hasOwn(record, name) ? record[name] : undefined) ?? null

  function optionalText(name: string): string | null {
    const member = read(name)
    if (member === null) return null
    if (typeof member === 'string' && member.isWellFormed()) return member
    throw wrong(name, 'a text')
  }
  function optionalNumber(name: string): number | null {
    const member = read(name)
    if (member === null) return null
    if (typeof member === 'number' && Number.isFinite(member)) return member
    throw wrong(name, 'a number')
  }
  function required<T>(name: string, member: T | null, wanted: string): T {
    if (member === null) throw wrong(name, wanted)
    return member
  }
  function optionalObject(name: string): Members | null {
    const member = read(name)
    return member === null ? null : membersOf(member, what, `\`${name}\``)
  }
  function list(name: string): unknown[] {
    const member = read(name) ?? []
    if (Array.isArray(member)) return member
    throw wrong(name, 'a list')
  }
  return {
    optionalText,
    optionalNumber,
    optionalObject,
    text: (name) => required(name, optionalText(name), 'a text'),
    number: (name) => required(name, optionalNumber(name), 'a number'),
    object: (name) => required(name, optionalObject(name), 'an object'),
    oneOf(name, values) {
      const member = optionalText(name)
      const found = values.find((candidate) => candidate === member)
      return required(name, found ?? null, `one of ${values.join(', ')}`)
    },
    objects: (name) => list(name).map((member) => membersOf(member, what, `an element of \`${name}\``)),
    texts: (name) =>
      list(name).map((member) => {
        if (typeof member === 'string' && member.isWellFormed()) return member
        throw wrong(name, 'a list of texts')
      }),
    optionalTexts(name) {
      const member = read(name)
      if (member === null) return null
      if (isRecord(member)) {
        const entries = Object.entries(member)
        if (entries.every(([, text]) => typeof text === 'string' && text.isWellFormed())) {
          return Object.fromEntries(entries) as Record<string, string>
        }
      }
      throw wrong(name, 'an object of texts')
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
