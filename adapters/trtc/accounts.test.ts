import { describe, expect, it } from 'vitest'
import { AdapterError } from '../../src/adapter/index.ts'
import { createMemoryStorage } from '../../src/adapter/testing/context.ts'
import { createAccounts, isUserId, userIdOf } from './accounts.ts'
import type { RestClient } from './rest.ts'

const never = new AbortController().signal
const alice = 'eip155:*:0x52908400098527886e0f7030069857d2e4169ee7'

/** The one call that is used, answered by `answer` with the refused accounts. */
function importer(answer: (userIds: string[]) => Promise<string[]> | string[] = () => []) {
  const imports: string[][] = []
  const rest = {
    async importAccounts(userIds: string[]) {
      imports.push(userIds)
      return answer(userIds)
    },
  } as unknown as RestClient
  const storage = createMemoryStorage()
  return { imports, storage, rest, accounts: createAccounts(rest, storage, () => never) }
}

describe('userID', () => {
  it('follows from the wallet alone: a published vector', () => {
    // base32-lower of the first 20 bytes of SHA-256 over tag and wallet, each after its length in 4 bytes (Python).
    expect(userIdOf(alice)).toBe('flgnplrjvhzqpp5wrxm4p6pzxapoiqxo')
  })

  it('is 32 characters of a-z and 2-7 for every kind of wallet', () => {
    const wallets = [
      alice,
      'eip155:8453:0x52908400098527886e0f7030069857d2e4169ee7',
      `solana:x:${'7'.repeat(44)}`,
    ]
    const userIds = wallets.map((wallet) => userIdOf(wallet))
    for (const userId of userIds) expect(isUserId(userId)).toBe(true)
    expect(new Set(userIds).size).toBe(wallets.length)
  })

  it('cannot be told from the wallet when it is keyed', () => {
    const keyed = userIdOf(alice, 'a secret of the operator')
    expect(isUserId(keyed)).toBe(true)
    expect(new Set([keyed, userIdOf(alice), userIdOf(alice, 'another secret of his')]).size).toBe(3)
  })

  it('has one form: nothing longer, shorter or of other characters', () => {
    const userId = userIdOf(alice)
    for (const other of [
      '',
      `${userId}a`,
      userId.slice(1),
      userId.toUpperCase(),
      'administrator',
      `${userId}\n`,
    ]) {
      expect(isUserId(other)).toBe(false)
    }
  })
})

describe('accounts', () => {
  it('are imported once, and remembered over a restart', async () => {
    const { accounts, imports, rest, storage } = importer()
    await accounts.ensure('a', never)
    await accounts.ensure('a', never)
    await createAccounts(rest, storage, () => never).ensure('a', never)
    expect(imports).toEqual([['a']])
  })

  it('asked for at once go in batches of at most 100, each once', async () => {
    const { accounts, imports } = importer()
    const userIds = Array.from({ length: 250 }, (_, index) => `user${index}`)
    await Promise.all([...userIds, ...userIds].map((userId) => accounts.ensure(userId, never)))
    expect(imports.flat().toSorted()).toEqual(userIds.toSorted())
    expect(Math.max(...imports.map((batch) => batch.length))).toBe(100)
    expect(imports.length).toBeLessThan(10)
  })

  it('refused by a batch are tried alone, and only they fail', async () => {
    const limit = new AdapterError('permanent', 'account limit', { remoteCode: 70398 })
    const { accounts } = importer((userIds) => {
      if (userIds.length === 1) throw limit
      return userIds.filter((userId) => userId === 'bad')
    })
    const [good, bad] = await Promise.allSettled([
      accounts.ensure('good', never),
      accounts.ensure('bad', never),
    ])
    expect(good.status).toBe('fulfilled')
    expect(bad).toMatchObject({ status: 'rejected', reason: limit })
    expect(accounts.lastRefusal()).toBe(70398)
  })

  it('whose import failed are tried again at the next call', async () => {
    let down = true
    const { accounts } = importer(() => {
      if (down) throw new AdapterError('retryable', 'down')
      return []
    })
    await expect(
      Promise.all([accounts.ensure('a', never), accounts.ensure('b', never)]),
    ).rejects.toMatchObject({
      class: 'retryable',
    })
    down = false
    await accounts.ensure('a', never)
    await accounts.ensure('b', never)
  })

  it('forgotten are imported again', async () => {
    const { accounts, imports } = importer()
    await accounts.ensure('a', never)
    await accounts.forget('a')
    await accounts.ensure('a', never)
    expect(imports).toEqual([['a'], ['a']])
  })

  it('do not hold a caller who gives up, nor does that end the import for others', async () => {
    const gate = Promise.withResolvers<string[]>()
    const { accounts } = importer(() => gate.promise)
    const abort = new AbortController()
    const given = accounts.ensure('a', abort.signal)
    const patient = accounts.ensure('a', never)
    await Promise.resolve()
    abort.abort()
    await expect(given).rejects.toMatchObject({ class: 'retryable', remoteCode: 'aborted' })
    gate.resolve([])
    await patient
  })
})
