import { expect, it } from 'vitest'
import { loadKeyring } from './keyring.ts'
import { webStorage } from './storage.ts'

function browserStorage() {
  const items = new Map<string, string>()
  return {
    items,
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  }
}

it('webStorage keeps everything under its prefix', async () => {
  const browser = browserStorage()
  browser.setItem('someone', 'else')
  const storage = webStorage(browser)
  await storage.set('seen', '[]')
  expect(await storage.get('seen')).toBe('[]')
  expect(await storage.get('someone')).toBeNull()
  expect(await webStorage(browser, 'other.').get('seen')).toBeNull()
  await storage.delete('seen')
  expect([...browser.items.keys()]).toEqual(['someone'])
})

it('webStorage lets tabs take turns: no private half is lost', async () => {
  const browser = browserStorage()
  const tabs = await Promise.all([1, 2, 3].map(() => loadKeyring(webStorage(browser))))
  await Promise.all(tabs.map((tab) => tab.rotate(0)))
  const kept = await loadKeyring(webStorage(browser))
  expect(kept.openingKeys()).toHaveLength(2)
  for (const tab of tabs) expect(tab.openingKeys()).toEqual(kept.openingKeys())
})
