import { describe, expect, it } from 'vitest'
import { toHex } from '../envelope/index.ts'
import { MAX_PREKEY_LIFE_MS } from '../identity/index.ts'
import { loadKeyring, PREKEY_OFFERED_MS } from './keyring.ts'
import { memoryStorage } from './storage.ts'

const DAY = 86_400_000
const names = (prekeys: { publicKey: Uint8Array }[]) =>
  prekeys.map(({ publicKey }) => toHex(publicKey)).sort()

describe('prekeys of a device', () => {
  it('are offered for as long as a wallet may be away, and never longer than allowed or kept', () => {
    expect(PREKEY_OFFERED_MS).toBeGreaterThanOrEqual(28 * DAY)
    expect(PREKEY_OFFERED_MS).toBeLessThanOrEqual(MAX_PREKEY_LIFE_MS)
  })

  it('are made anew each day, and their private halves deleted after 30 days', async () => {
    const keyring = await loadKeyring(memoryStorage())
    const first = names(await keyring.rotate(0))
    expect(first).toHaveLength(2)
    expect(names(await keyring.rotate(DAY - 1))).toEqual(first)
    await keyring.rotate(DAY)
    expect(names(keyring.current())).not.toEqual(first)
    for (let day = 2; day < 30; day++) await keyring.rotate(day * DAY)
    expect(keyring.openingKeys()).toHaveLength(60)
    // Still offered a moment ago, still kept: what was sealed then can be opened.
    await keyring.rotate(PREKEY_OFFERED_MS + DAY)
    expect(keyring.openingKeys()).toHaveLength(60)
    await keyring.rotate(30 * DAY)
    expect(keyring.openingKeys()).toHaveLength(60)
    await keyring.rotate(90 * DAY)
    expect(keyring.openingKeys()).toHaveLength(2)
  })

  it('are published once, and never those of days on which the gateway was away', async () => {
    const keyring = await loadKeyring(memoryStorage())
    await keyring.rotate(0)
    const due = await keyring.rotate(29 * DAY)
    expect(due.every(({ createdAt }) => createdAt === 29 * DAY)).toBe(true)
    await keyring.markPublished(due)
    expect(await keyring.rotate(29 * DAY + 1)).toEqual([])
  })

  it('are shared by clients on one storage', async () => {
    const storage = memoryStorage()
    const one = await loadKeyring(storage)
    const two = await loadKeyring(storage)
    expect(two.device).toEqual(one.device)
    await one.rotate(0)
    expect(two.openingKeys()).toEqual([])
    expect(await two.refresh()).toBe(true)
    expect(await two.refresh()).toBe(false)
    expect(two.openingKeys()).toEqual(one.openingKeys())
    await two.rotate(DAY)
    await one.markPublished(one.current())
    expect((await loadKeyring(storage)).openingKeys()).toHaveLength(4)
  })
})
