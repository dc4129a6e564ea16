import { expect, it } from 'vitest'
import type { AcceptRecord } from '../port.ts'
import { acceptRecord, bytesOf } from '../testing/records.ts'
import { packAccepts, unpackAccepts } from './packed.ts'

it('gives the same records again', () => {
  const records: AcceptRecord[] = [
    acceptRecord('one'),
    acceptRecord('two', { certificate: bytesOf('certificate'), bytes: new Uint8Array(), deliveries: [] }),
    acceptRecord('three', { inbox: [], alias: { network: 'waku', remoteId: 'hash', claims: true } }),
  ]
  expect([...unpackAccepts(structuredClone(packAccepts(records)))]).toEqual(records)
  expect([...unpackAccepts(packAccepts([]))]).toEqual([])
})
