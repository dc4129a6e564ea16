/** What is measured, in which order and when. Pure: the same options make the same plan, which is how a run is resumed. */
import { seededFractions, shuffle } from './random.ts'

/**
 * `native`: from one client of a network to another, without the gateway. `gateway`: from a client on `from` through the
 * gateway to a client on `to`.
 */
export type Path = 'native' | 'gateway'

export const PATHS: readonly Path[] = ['native', 'gateway']

/** One thing that is measured; its samples are compared with those of other cells. */
export interface Cell {
  /** `native:trtc:256`, `gateway:xmtp>push:256` */
  id: string
  path: Path
  from: string
  to: string
  /** Padded content in bytes. */
  size: number
}

export interface LatencyOptions {
  networks: string[]
  paths: Path[]
  /** Sizes of the padded content, bytes. */
  sizes: number[]
  /** For each cell. */
  samples: number
  /** For each cell, before its samples; not counted. */
  warmup: number
  /** Probes a second of all cells together. */
  rate: number
  seed: number
  /** A probe that has not arrived by then is lost, milliseconds. */
  timeoutMs: number
  /** Delay before each delivery of a sandbox in milliseconds, by network. */
  delays: Record<string, number>
  /** Configuration file of a gateway on live networks; null: all networks are sandboxes. */
  config: string | null
}

/** Networks on which the gateway hears only what is sent to itself: a message may come back out on the same one. */
export interface NetworkFacts {
  name: string
  relaysToItself: boolean
  /** Largest frame that the network takes, bytes. */
  maxFrameBytes: number
}

export interface Probe {
  cell: Cell
  /** From 0 within its cell; warm-up probes are counted apart. */
  number: number
  warmup: boolean
  /** When it is due, milliseconds after the start. */
  dueMs: number
}

/** Cells of all networks, paths and sizes; those that a network has no room for are left out. */
export function cellsOf(
  { paths, sizes }: Pick<LatencyOptions, 'paths' | 'sizes'>,
  networks: readonly NetworkFacts[],
  frameBytes: (size: number) => number,
): Cell[] {
  const pairs = paths.flatMap((path) =>
    networks.flatMap((from) =>
      networks
        .filter((to) => (path === 'native' ? to === from : to !== from || from.relaysToItself))
        .map((to) => ({ path, from, to })),
    ),
  )
  return sizes.flatMap((size) =>
    pairs
      .filter(({ from, to }) => frameBytes(size) <= Math.min(from.maxFrameBytes, to.maxFrameBytes))
      .map(({ path, from, to }) => ({
        id: `${path}:${path === 'native' ? from.name : `${from.name}>${to.name}`}:${size}`,
        path,
        from: from.name,
        to: to.name,
        size,
      })),
  )
}

/**
 * All probes that are not `done` yet, in rounds: each holds every cell once, in an order of its own, so that what changes
 * with time (load of the machine, caches, the network) meets all cells alike. Due times do not depend on answers (open loop):
 * one in each slot of `1 / rate` seconds, at a random place in it, so that they keep no step with timers of the networks.
 */
export function scheduleOf(
  options: Pick<LatencyOptions, 'samples' | 'warmup' | 'rate' | 'seed'>,
  cells: readonly Cell[],
  done: (cell: string, number: number) => boolean = () => false,
): Probe[] {
  const fractions = seededFractions(options.seed)
  const rounds = [
    ...Array.from({ length: options.warmup }, (_, number) => ({ number, warmup: true })),
    ...Array.from({ length: options.samples }, (_, number) => ({ number, warmup: false })),
  ]
  const wanted = rounds.flatMap((round) =>
    shuffle(cells, fractions)
      .map((cell) => ({ cell, ...round }))
      .filter(({ cell, number, warmup }) => warmup || !done(cell.id, number)),
  )
  if (wanted.every(({ warmup }) => warmup)) return []
  return wanted.map((probe, slot) => ({ ...probe, dueMs: ((slot + fractions()) * 1000) / options.rate }))
}
