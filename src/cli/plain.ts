/** Text that others wrote, made safe to print on a terminal. */

/** Control characters (C0, C1), which move the cursor and change the terminal; line separators; overrides of writing direction. */
const UNSAFE = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu

/** One line or several, where those after the first are indented: nobody can forge a line of the program's own. */
export function plain(text: string): string {
  return text
    .replaceAll(/\r\n?/g, '\n')
    .split('\n')
    .map((line) => line.replaceAll('\t', ' ').replaceAll(UNSAFE, '\ufffd'))
    .join('\n    ')
}

/** One line of JSON in which everything unsafe is escaped. Reads back as the same value. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    UNSAFE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
