/** Generated files are fresh, examples are valid, and the README says what the project promises. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { staleFiles } from '../../scripts/generate.ts'
import { loadConfig } from '../../src/config/index.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')

it('has fresh generated files', async () => {
  expect(await staleFiles(root), 'run: npm run generate').toEqual([])
})

describe('example configurations', () => {
  it('loads the sandbox', async () => {
    const { networks } = await loadConfig({ file: fileURLToPath(new URL('config/sandbox.yaml', root)) })
    expect(networks.map(({ name, config }) => `${name} ${String(config)}`)).toEqual([
      'waku sandbox',
      'trtc sandbox',
      'xmtp sandbox',
      'push sandbox',
    ])
  })

  it('loads production with its secrets from the environment', async () => {
    const environment = {
      TRTC_SECRET_KEY: 'a'.repeat(64),
      TRTC_WEBHOOK_TOKEN: 'b'.repeat(32),
      TRTC_WEBHOOK_SECRET: 'c'.repeat(32),
      PUSH_WALLET_KEY: 'e'.repeat(64),
      XMTP_WALLET_KEY: `0x${'d'.repeat(64)}`,
    }
    const file = fileURLToPath(new URL('config/production.example.yaml', root))
    const { networks, config } = await loadConfig({ file, environment })
    expect(networks.map(({ name }) => name)).toEqual(['waku', 'trtc', 'xmtp', 'push'])
    expect(config.server.publicUrl).toBe('https://messages.example.org')
  })

  it('starts every sandbox when there is no configuration', async () => {
    const { networks } = await loadConfig({ values: {} })
    expect(networks.every(({ config }) => config === 'sandbox')).toBe(true)
  })
})

describe('README', () => {
  it('holds the two commands', async () => {
    const text = await read('README.md')
    expect(text).toContain('npm ci && npm start')
    expect(text).toContain('npm ci && npm test')
  })

  it('links only to files that exist', async () => {
    const pages = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs/guides/client.md']
    for (const page of pages) {
      const links = [...(await read(page)).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(
        (match) => match[1]!,
      )
      for (const link of links) {
        const target = new URL(link, new URL(page, root))
        await expect(
          readFile(target).catch((error: NodeJS.ErrnoException) => error.code),
          `${page} -> ${link}`,
        ).resolves.not.toBe('ENOENT')
      }
    }
  })
})
