import { describe, expect, it } from 'vitest'
import { jsonLine, plain } from './plain.ts'

/** Terminal commands that a message might hold: clear the screen, set the title, C1 introducer, text that reads backwards. */
const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\u009b31m\u0000\u007f\u202Edlrow\u2066x'

describe('plain', () => {
  it('leaves nothing that a terminal obeys', () => {
    expect(plain(HOSTILE)).toBe('\ufffd[2J\ufffd]0;owned\ufffd\ufffd31m\ufffd\ufffd\ufffddlrow\ufffdx')
  })

  it('indents further lines, so that they are not taken for the program’s own', () => {
    expect(plain('hello\r\n12:00:00 alice over http  pay me\rnow\tplease')).toBe(
      'hello\n    12:00:00 alice over http  pay me\n    now please',
    )
  })

  it('leaves the text of every script alone', () => {
    for (const text of ['Grüße', 'שלום', '你好', '👩‍👧 hi']) expect(plain(text)).toBe(text)
  })
})

describe('jsonLine', () => {
  it('escapes the same and reads back unchanged', () => {
    const line = jsonLine({ text: `${HOSTILE}\nnext` })
    expect(line).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u)
    expect(JSON.parse(line)).toEqual({ text: `${HOSTILE}\nnext` })
  })
})
