/**
 * Accepts on their way to the writer's thread and back. Posting them as objects costs more than writing them: each of their
 * byte arrays is cloned by itself. So all bytes of a group go over in one buffer, and the rest as one flat list.
 */
import { type AcceptRecord, type AcceptResult, StoreError } from '../port.ts'
import { deliveryMade } from './operations/delivery-made.ts'

export interface PackedAccepts {
  bytes: Uint8Array<ArrayBuffer>
  /** Everything else, record after record; read again in the order in which {@link packAccepts} writes it. */
  fields: unknown[]
}

const BYTE_FIELDS = ['id', 'device', 'conversation', 'bytes', 'trace', 'certificate'] as const

/** An absent byte array. */
const ABSENT = -1

/** Refuses at once what could not be packed later, together with the records of others. Throws `StoreError`. */
export function assertPackable(record: AcceptRecord): void {
  for (const name of BYTE_FIELDS) {
    if (record[name] instanceof Uint8Array || (name === 'certificate' && record[name] === null)) continue
    throw new StoreError('store-failed', `An envelope's ${name} must be bytes`)
  }
  for (const value of Object.values(record)) {
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new StoreError('store-failed', `A ${typeof value} cannot be stored`)
    }
  }
}

export function packAccepts(records: readonly AcceptRecord[]): PackedAccepts {
  let length = 0
  for (const record of records) for (const name of BYTE_FIELDS) length += record[name]?.length ?? 0
  const bytes = new Uint8Array(length)
  const fields: unknown[] = []
  let offset = 0
  for (const record of records) {
    for (const name of BYTE_FIELDS) {
      const value = record[name]
      fields.push(value?.length ?? ABSENT)
      if (value === null) continue
      bytes.set(value, offset)
      offset += value.length
    }
    fields.push(record.kind, record.mode, record.from, record.contentType, record.flags, record.created)
    fields.push(record.expiresAt, record.via, record.receivedAt, record.monotonic)
    fields.push(record.alias, record.deliveries.length === 0 ? null : record.deliveries, record.inbox.length)
    for (const { wallet, direction } of record.inbox) fields.push(wallet, direction)
  }
  return { bytes, fields }
}

/** The records again. Their byte arrays are views of the one buffer. */
export function* unpackAccepts({ bytes, fields }: PackedAccepts): Generator<AcceptRecord, void> {
  let offset = 0
  let place = 0
  const next = () => fields[place++] as never
  const take = () => {
    const length: number = next()
    if (length === ABSENT) return null as never
    offset += length
    return bytes.subarray(offset - length, offset)
  }
  while (place < fields.length) {
    const [id, device, conversation] = [take(), take(), take()]
    const [content, trace, certificate] = [take(), take(), take()]
    const record: AcceptRecord = {
      id,
      device,
      conversation,
      bytes: content,
      trace,
      certificate,
      kind: next(),
      mode: next(),
      from: next(),
      contentType: next(),
      flags: next(),
      created: next(),
      expiresAt: next(),
      via: next(),
      receivedAt: next(),
      monotonic: next(),
      alias: next(),
      deliveries: next() ?? [],
      inbox: [],
    }
    for (let left: number = next(); left > 0; left--) record.inbox.push({ wallet: next(), direction: next() })
    yield record
  }
}

/** The result of an accept whose seq is all that had to be told. */
export function acceptedWith(record: AcceptRecord, seq: number): AcceptResult {
  const { id, conversation, receivedAt } = record
  const deliveries = record.deliveries.map((planned, place) =>
    deliveryMade({ id, seq, conversation, receivedAt }, planned, place),
  )
  return { outcome: 'accepted', seq, deliveries }
}
