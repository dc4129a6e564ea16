import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Command, EXIT, runCommand } from './command.ts'

const files = await readdir(new URL('./commands/', import.meta.url))
const names = files.map((file) => file.replace(/\.ts$/, ''))
const signal = new AbortController().signal
let printed = ''
let complained = ''

beforeEach(() => {
  printed = ''
  complained = ''
  vi.spyOn(console, 'log').mockImplementation((line) => {
    printed += `${line}\n`
  })
  vi.spyOn(console, 'error').mockImplementation((line) => {
    complained += `${line}\n`
  })
})
afterEach(() => vi.restoreAllMocks())

async function run(name: string, ...words: string[]): Promise<number> {
  const { command } = (await import(`./commands/${name}.ts`)) as { command: Command }
  return runCommand(name, command, words, signal)
}

describe('every command', () => {
  it.each(names)('%s has help that names its options', async (name) => {
    expect(await run(name, '--help')).toBe(EXIT.done)
    expect(printed).toContain(`Usage: causeway ${name}`)
    expect(printed).toContain('--json')
    expect(printed).toContain('--help')
    expect(complained).toBe('')
  })

  it.each(names)('%s refuses options that it does not know', async (name) => {
    expect(await run(name, '--no-such-option')).toBe(EXIT.usage)
    expect(printed).toBe('')
    expect(complained).toContain(`Try: causeway ${name} --help`)
  })
})

describe('wrong usage is told before anything is done', () => {
  it.each([
    ['start', '--port', '99999'],
    ['start', '--port', '-1'],
    ['start', '--port', '1e3'],
    ['inbox', '--as', 'bob', '--gateway', 'notaurl'],
    ['inbox', '--as', 'bob', '--gateway', 'ftp://127.0.0.1'],
    ['inbox', '--as', 'bob', '--limit', '0'],
    ['send', '--as', 'alice', 'to nobody'],
    ['send', '--to', 'bob'],
    ['journey'],
    ['replay', 'x', '--admin-token', 'of-the-operator'],
    ['sandbox', 'nowhere'],
    ['openapi', 'what'],
  ])('causeway %s %s %s %s', async (name, ...words) => {
    expect(await run(name, ...words.filter((word) => word !== undefined))).toBe(EXIT.usage)
    expect(printed).toBe('')
    expect(complained).not.toBe('')
  })
})

it('prints nothing of an error that a terminal would obey', async () => {
  const command: Command = {
    summary: '',
    usage: '',
    description: '',
    options: {},
    positionals: { minimum: 0, maximum: 0 },
    run: () => Promise.reject(new Error('the gateway said \u001b[2J')),
  }
  expect(await runCommand('try', command, [], signal)).toBe(EXIT.failed)
  expect(complained).toBe('causeway try: the gateway said \ufffd[2J\n')
})
