import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createCustody, loadMasterKey, parseMasterKey } from './custody.ts'

const keyOf = (byte: number) => new Uint8Array(32).fill(byte)
const purpose = { id: 'ab'.repeat(16), network: 'xmtp' }

describe('custody', () => {
  it('opens what it wrapped, and no two wraps are the same', () => {
    const custody = createCustody({ key: keyOf(1), previous: [] })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5_000 }), (secret) => {
        const wrapped = custody.wrap(secret, purpose)
        expect(custody.unwrap(wrapped, purpose)).toEqual({ secret, stale: false })
        expect(custody.wrap(secret, purpose)).not.toEqual(wrapped)
      }),
      { numRuns: 50 },
    )
  })

  it('opens nothing that was altered in any byte, or belongs to something else', () => {
    const custody = createCustody({ key: keyOf(1), previous: [] })
    const wrapped = custody.wrap(keyOf(7), purpose)
    for (let index = 0; index < wrapped.length; index++) {
      const altered = Uint8Array.from(wrapped)
      altered[index]! ^= 1
      expect(() => custody.unwrap(altered, purpose)).toThrow(/wrapped/)
    }
    expect(() => custody.unwrap(wrapped, { ...purpose, network: 'push' })).toThrow(
      /belongs to something else/,
    )
    expect(() => custody.unwrap(wrapped, { ...purpose, id: 'cd'.repeat(16) })).toThrow(
      /belongs to something else/,
    )
    expect(() => custody.unwrap(new Uint8Array(), purpose)).toThrow(/cannot be read/)
  })

  it('follows a change of the master key, while it has the earlier one', () => {
    const wrapped = createCustody({ key: keyOf(1), previous: [] }).wrap(keyOf(7), purpose)
    const changed = createCustody({ key: keyOf(2), previous: [keyOf(1)] })
    expect(changed.unwrap(wrapped, purpose)).toEqual({ secret: keyOf(7), stale: true })
    const anew = changed.wrap(keyOf(7), purpose)
    expect(createCustody({ key: keyOf(2), previous: [] }).unwrap(anew, purpose).stale).toBe(false)
    expect(() => createCustody({ key: keyOf(2), previous: [] }).unwrap(wrapped, purpose)).toThrow(
      /previousMasterKeys/,
    )
    expect(() => createCustody({ key: new Uint8Array(31), previous: [] })).toThrow(RangeError)
  })
})

describe('the master key', () => {
  it('is 32 bytes as hexadecimal or base64url', () => {
    expect(parseMasterKey('0A'.repeat(32))).toEqual(keyOf(10))
    expect(parseMasterKey(Buffer.from(keyOf(10)).toString('base64url'))).toEqual(keyOf(10))
    for (const wrong of ['', 'password', '0a'.repeat(31), '0a'.repeat(33), 'ä'.repeat(43)]) {
      expect(parseMasterKey(wrong)).toBeNull()
    }
  })

  it('is made once, for its owner alone, and said to be', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'causeway-custody-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const said: string[] = []
    const made = await loadMasterKey(folder, (path) => said.push(path))
    const path = join(folder, 'master.key')
    expect(said).toEqual([path])
    expect(await loadMasterKey(folder, (again) => said.push(again))).toEqual(made)
    expect(said).toHaveLength(1)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(parseMasterKey(readFileSync(path, 'utf8'))).toEqual(made)
    writeFileSync(path, 'something else')
    await expect(loadMasterKey(folder, () => undefined)).rejects.toThrow(/holds no master key/)
  })
})
