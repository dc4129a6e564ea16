/** Secrets that a test plants, and the search for them in everything that a gateway leaves behind. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface Canary {
  /** Named in failures; the value itself is not shown. */
  name: string
  /** Spellings that must not turn up. */
  forms: { encoding: string; bytes: Buffer }[]
}

/** A canary of text or bytes, with the spellings in which it could be written down. */
export function canary(name: string, value: string | Uint8Array): Canary {
  const bytes = Buffer.from(value as Uint8Array)
  // Base64 within a longer text depends on where it begins: all three alignments, without what neighbours change.
  const aligned = [0, 1, 2].flatMap((offset) =>
    (['base64', 'base64url'] as const).map((encoding) => {
      const text = Buffer.concat([Buffer.alloc(offset), bytes])
        .toString(encoding)
        .replace(/=+$/, '')
      return { encoding: `${encoding} at ${offset}`, text: text.slice(offset === 0 ? 0 : offset + 1, -2) }
    }),
  )
  const texts = [
    { encoding: 'hex', text: bytes.toString('hex') },
    { encoding: 'upper-case hex', text: bytes.toString('hex').toUpperCase() },
    { encoding: 'numbers', text: [...bytes].join(',') },
    ...aligned,
  ]
  const forms = texts.map(({ encoding, text }) => ({ encoding, bytes: Buffer.from(text) }))
  const utf16 =
    typeof value === 'string' ? [{ encoding: 'UTF-16', bytes: Buffer.from(value, 'utf16le') }] : []
  return { name, forms: [{ encoding: 'as it is', bytes }, ...forms, ...utf16] }
}

/** `<canary> as <spelling> in <place>` for everything found. */
export function findCanaries(canaries: readonly Canary[], places: ReadonlyMap<string, Uint8Array>): string[] {
  return [...places].flatMap(([place, content]) =>
    canaries.flatMap(({ name, forms }) =>
      forms
        .filter(({ bytes }) =>
          Buffer.from(content.buffer, content.byteOffset, content.length).includes(bytes),
        )
        .map(({ encoding }) => `${name} as ${encoding} in ${place}`),
    ),
  )
}

/** Every file below a folder, by its path in it. */
export async function readFolder(folder: string): Promise<Map<string, Uint8Array>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(
      files.map(async (file) => [file.slice(folder.length + 1), await readFile(file)] as const),
    ),
  )
}
