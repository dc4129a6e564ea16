/** Mutations of text: CAIP-10 accounts, content topics, YAML, queries. */
import type { Dice } from './dice.ts'

const TOKENS: readonly string[] = [
  '\0',
  '\n',
  '\r\n',
  '\u2028',
  '\ufeff',
  '\ud800',
  '\udfff',
  '\u202e',
  'İ',
  '１',
  'é',
  '%00',
  '%',
  '..',
  '/../',
  '0x',
  '0X',
  '-',
  '*',
  ':',
  '0',
  '00',
  '-1',
  '9007199254740993',
  '1e999',
  '99999999999999999999999999999999999999999999',
  '__proto__',
  'constructor',
  'toString',
  '__proto__: {polluted: true}\n',
  '{}',
  '[]',
  'null',
  'true',
  '"',
  "'",
  '&a ',
  '*a',
  '<<: *a\n',
  '!!js/function ',
  '!!binary ',
  '- ',
  ': ',
  '\t',
]

/** One to three random edits of the UTF-16 units. At most 100,000 units long. */
export function mutateText(text: string, dice: Dice, other: string = text): string {
  let result = text
  for (let edits = dice.chance(0.6) ? 1 : 1 + dice.upTo(2); edits > 0; edits--)
    result = edit(result, dice, other)
  return result.length > 100_000 ? result.slice(0, 100_000) : result
}

function edit(text: string, dice: Dice, other: string): string {
  const at = dice.upTo(text.length)
  const span = 1 + dice.upTo(dice.chance(0.8) ? 4 : 64)
  const before = text.slice(0, at)
  switch (dice.upTo(10)) {
    case 0:
      return (
        before +
        String.fromCharCode(dice.chance(0.8) ? 32 + dice.upTo(94) : dice.upTo(0xffff)) +
        text.slice(at + 1)
      )
    case 1:
      return before + dice.pick(TOKENS) + text.slice(at)
    case 2:
      return before + dice.pick(TOKENS) + text.slice(at + span)
    case 3:
      return before + text.slice(at + span)
    case 4:
      return before + text.slice(at, at + span) + text.slice(at)
    case 5:
      return before + other.slice(dice.upTo(other.length))
    case 6:
      return before
    case 7: {
      const character = text[at] ?? ''
      const flipped =
        character === character.toLowerCase() ? character.toUpperCase() : character.toLowerCase()
      return before + flipped + text.slice(at + 1)
    }
    case 8:
      return dice.chance(0.05)
        ? before +
            dice.pick(['[', '{', '(', '- ', 'a', '{a: ']).repeat(dice.pick([20, 200, 2_000])) +
            text.slice(at)
        : before + String(dice.upTo(99)) + text.slice(at)
    case 9: {
      const lines = text.split('\n')
      const moved = lines.splice(dice.upTo(lines.length - 1), 1)
      lines.splice(dice.upTo(lines.length), 0, ...moved, ...(dice.chance(0.5) ? moved : []))
      return lines.join('\n')
    }
    default:
      return text.trim() === text && dice.chance(0.3)
        ? ` ${text}`
        : text.normalize(dice.pick(['NFC', 'NFD', 'NFKC']))
  }
}
