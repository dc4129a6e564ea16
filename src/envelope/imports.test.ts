import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const ALLOWED =
  /^(?:\.\/[a-z0-9-]+\.ts|cborg|@hpke\/(?:core|chacha20poly1305|hybridkem-x-wing)|@noble\/[a-z]+\/[a-z0-9]+\.js|@scure\/base)$/
const folder = new URL('.', import.meta.url)
const sources = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))

describe('src/envelope runs in a browser', () => {
  it.each(sources)(
    '%s imports only its neighbours and portable packages, and uses no Node global',
    (name) => {
      const text = readFileSync(new URL(name, folder), 'utf8')
      const imported = [...text.matchAll(/(?:from|import)\s*\(?'([^']+)'/g)].map((match) => match[1]!)
      expect(imported.filter((specifier) => !ALLOWED.test(specifier))).toEqual([])
      expect(text).not.toMatch(/\b(?:Buffer|process|require|__dirname)\b[.(]/)
    },
  )
})
