/** Mutations of documents: they stay readable, so that they pass the outer checks and reach the inner ones. */
import { concatBytes } from '../../src/envelope/index.ts'
import type { Dice } from './dice.ts'
import { mutateBytes } from './mutate-bytes.ts'
import { mutateText } from './mutate-text.ts'
import {
  cborHead,
  Entries,
  Nested,
  Raw,
  treeOf,
  treeOfCbor,
  treeOfJson,
  writeCbor,
  writeJson,
} from './values.ts'

const KEYS: readonly string[] = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'length',
  '',
  '0',
]

/** Values at the edges of what fields allow. */
const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  1,
  -1,
  23,
  24,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  1_770_000_000_000,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  '',
  ' ',
  '__proto__',
  '\u0000',
  '\ufeffx',
  'x'.repeat(70),
  'x'.repeat(1000),
  'é'.repeat(600),
  new Uint8Array(0),
  new Uint8Array(1),
  new Uint8Array(16),
  new Uint8Array(31),
  new Uint8Array(32),
  new Uint8Array(33),
  new Uint8Array(64),
  new Uint8Array(48).fill(0xff),
  new Uint8Array(5000),
  [],
  [[]],
  [null],
  new Entries([]),
  new Entries([['__proto__', new Entries([['polluted', true]])]]),
  new Entries([
    ['a', 1],
    ['a', 2],
  ]),
  new Raw([0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0], '9007199254740993'),
  new Raw([0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], '18446744073709551615'),
  new Raw([0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], '-18446744073709551616'),
  new Raw([0xfb, 0x7f, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], '1e308'),
  new Raw([0xf9, 0x7c, 0], '1e999'),
  new Raw([0xf9, 0x7e, 0], '-0'),
  new Raw([0xf9, 0x3c, 0], '1.5'),
  new Raw([0xf7], '"\\ud800"'),
  new Raw([0xf8, 0x20], '"\\u0000"'),
  new Raw([0xc1, 0x00], 'NaN'),
  new Raw([0x18, 0x05], '05'),
  new Raw([0x5f, 0x41, 0x00, 0xff], '"\\udc00\\ud800"'),
  new Raw([0x9f, 0xff], '[,]'),
  new Raw([0x62, 0xc3, 0x28], '"\u0007"'),
  new Raw([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], '['),
  new Raw([0x5a, 0x7f, 0xff, 0xff, 0xff], '{'),
  new Raw([0x9a, 0, 1, 0, 0], '}'),
  new Raw([0x1c], '\u00ff'),
]

/** Nesting that decoders must count; the last would overflow the stack of those that recurse. */
const DEPTHS: readonly number[] = [1, 2, 3, 4, 5, 9, 17, 20, 2_000, 50_000]

interface Slot {
  value: unknown
  set(value: unknown): void
  remove(): void
  /** How likely it is to be chosen. */
  weight: number
}

/** One or two edits of the document; rarely of its bytes. Bytes that are no CBOR are edited as bytes. */
export function mutateCbor(
  bytes: Uint8Array,
  dice: Dice,
  other: Uint8Array,
  structureOnly = false,
): Uint8Array {
  const tree = structureOnly || dice.chance(0.85) ? treeOfCbor(bytes) : undefined
  if (tree === undefined) return structureOnly ? bytes : mutateBytes(bytes, dice, other)
  const mutated = mutateTree(tree, dice, () => treeOfCbor(other), structureOnly)
  return writeCbor(mutated, !structureOnly && dice.chance(0.05))
}

/** As {@link mutateCbor}, for JSON. */
export function mutateJson(text: string, dice: Dice, other: string, structureOnly = false): string {
  const tree = structureOnly || dice.chance(0.85) ? treeOfJson(text) : undefined
  if (tree === undefined) return structureOnly ? text : mutateText(text, dice, other)
  return writeJson(mutateTree(tree, dice, () => treeOfJson(other), structureOnly))
}

/** With `readable` the result is a well-formed document, for containers that only the harness reads. */
function mutateTree(tree: unknown, dice: Dice, other: () => unknown, readable: boolean): unknown {
  const holder = [tree]
  for (let edits = dice.chance(0.75) ? 1 : 2; edits > 0; edits--) {
    const slots: Slot[] = []
    collect(
      holder[0],
      (value) => {
        holder[0] = value
      },
      () => undefined,
      slots,
    )
    const slot = chooseSlot(readable && slots.length > 1 ? slots.slice(1) : slots, dice)
    editSlot(slot, dice, other, readable)
  }
  return holder[0]
}

function collect(value: unknown, set: Slot['set'], remove: () => void, slots: Slot[]): void {
  const nested =
    value instanceof Uint8Array ? value.length > 40 : typeof value === 'string' && value.length > 40
  slots.push({ value, set, remove, weight: nested ? 4 : 1 })
  if (Array.isArray(value)) {
    value.forEach((item, index) => {
      collect(
        item,
        (next) => {
          value[index] = next
        },
        () => value.splice(index, 1),
        slots,
      )
    })
  } else if (value instanceof Entries) {
    value.list.forEach((pair, index) => {
      collect(
        pair[1],
        (next) => {
          pair[1] = next
        },
        () => value.list.splice(index, 1),
        slots,
      )
    })
  }
}

function chooseSlot(slots: readonly Slot[], dice: Dice): Slot {
  const total = slots.reduce((sum, { weight }) => sum + weight, 0)
  let rest = dice.upTo(total - 1)
  for (const slot of slots) {
    rest -= slot.weight
    if (rest < 0) return slot
  }
  return slots[0]!
}

function editSlot(slot: Slot, dice: Dice, other: () => unknown, readable: boolean): void {
  const { value, set, remove } = slot
  const roll = dice.upTo(19)
  if (roll === 0) remove()
  else if (roll === 1) set(new Nested(value, dice.pick(readable ? [1, 2, 5] : DEPTHS)))
  else if (roll === 2) set(lying(value, dice, readable))
  else if (roll <= 4) set(interesting(dice, readable))
  else if (roll === 5) {
    const slots: Slot[] = []
    collect(other() ?? null, noSlot, noSlot, slots)
    set(dice.pick(slots).value)
  } else if (Array.isArray(value)) editArray(value, dice, readable)
  else if (value instanceof Entries) editEntries(value, dice, readable)
  else set(editLeaf(value, dice, readable))
}

/** Of a tree that is only read. */
function noSlot(): void {}

/** One of {@link VALUES}, as a copy that later edits may change. */
function interesting(dice: Dice, readable: boolean): unknown {
  for (;;) {
    const value = dice.pick(VALUES)
    if (!readable || !(value instanceof Raw)) return treeOf(value)
  }
}

/** The value with a length that does not fit its content. */
function lying(value: unknown, dice: Dice, readable: boolean): unknown {
  if (readable || !(value instanceof Uint8Array || typeof value === 'string'))
    return interesting(dice, readable)
  const content = typeof value === 'string' ? new TextEncoder().encode(value) : value
  const length = Math.max(0, dice.pick([0, content.length - 1, content.length + 1, 0x7fffffff, 0xffffffff]))
  return new Raw(concatBytes(cborHead(typeof value === 'string' ? 3 : 2, length), content), '"')
}

function editArray(list: unknown[], dice: Dice, readable: boolean): void {
  const at = dice.upTo(Math.max(0, list.length - 1))
  const another = dice.upTo(Math.max(0, list.length - 1))
  const roll = dice.upTo(4)
  if (roll === 0) list.splice(at, 1)
  else if (roll === 1) list.splice(at, 0, treeOf(list[another]))
  else if (roll === 2) [list[at], list[another]] = [list[another], list[at]]
  else if (roll === 3) list.splice(at, 0, interesting(dice, readable))
  else if (list.length > 0 && dice.chance(0.2)) {
    for (let copies = dice.pick([2, 10, 80, 600]); copies > 0; copies--) list.push(treeOf(list[at]))
  }
}

function editEntries(entries: Entries, dice: Dice, readable: boolean): void {
  const { list } = entries
  const pair = list[dice.upTo(Math.max(0, list.length - 1))]
  const roll = dice.upTo(4)
  if (roll === 0 && pair) list.splice(list.indexOf(pair), 1)
  else if (roll === 1 && pair) pair[0] = dice.pick(KEYS)
  else if (roll === 2 && pair && !readable) list.push([pair[0], interesting(dice, readable)])
  else if (roll === 3 && pair && typeof pair[0] === 'string') pair[0] = mutateText(pair[0], dice)
  else list.push([dice.pick(KEYS), interesting(dice, readable)])
}

function editLeaf(value: unknown, dice: Dice, readable: boolean): unknown {
  if (value instanceof Uint8Array) {
    return dice.chance(0.7) && treeOfCbor(value) !== undefined
      ? mutateCbor(value, dice, value)
      : mutateBytes(value, dice)
  }
  if (typeof value === 'string') return editString(value, dice)
  if (typeof value === 'number') {
    const near = dice.pick([
      value + 1,
      value - 1,
      -value,
      value * 2,
      value * 1000,
      value ^ (1 << dice.upTo(30)),
      value + 0.5,
    ])
    return Number.isFinite(near) ? near : interesting(dice, readable)
  }
  return interesting(dice, readable)
}

/** JSON in text and base64url of CBOR are edited as what they hold. */
function editString(text: string, dice: Dice): string {
  if (/^[[{]/.test(text) && dice.chance(0.8)) return mutateJson(text, dice, text)
  if (text.length > 40 && /^[-_A-Za-z0-9]+$/.test(text) && dice.chance(0.7)) {
    const bytes = Uint8Array.from(Buffer.from(text, 'base64url'))
    return Buffer.from(mutateCbor(bytes, dice, bytes)).toString('base64url')
  }
  if (/^0x[0-9a-f]{80,}$/.test(text) && dice.chance(0.7)) {
    return `0x${Buffer.from(mutateBytes(Uint8Array.from(Buffer.from(text.slice(2), 'hex')), dice)).toString('hex')}`
  }
  const edited = mutateText(text, dice)
  return edited.isWellFormed() ? edited : edited.toWellFormed()
}
