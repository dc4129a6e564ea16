/** What an envelope costs at least: parts of the gateway's work, each alone. */
import { createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { Hono } from 'hono'
import { z } from 'zod'
import { createSignatureVerifier } from '../../relay/index.ts'
import { createSqliteStore } from '../../store/sqlite/index.ts'
import { serveParent } from '../child.ts'
import { closedLoop, type LoadResult } from '../load/closed-loop.ts'
import { cpuMicroseconds } from '../machine.ts'
import { createPerson } from '../people.ts'
import { acceptRecord } from '../records.ts'

const BASE64URL = z.string().refine((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
const BODY = z.strictObject({ sealed: BASE64URL })
const BYTES = z.instanceof(Uint8Array).refine((bytes) => bytes.length > 0 && bytes.length <= 131_072)

/** Bare Hono with zod, answering what the gateway answers. */
async function hono(): Promise<{ url: string }> {
  const app = new Hono()
  app.post('/v1/envelopes', async (context) => {
    const isJson = context.req.header('content-type') === 'application/json'
    const sealed = isJson
      ? Buffer.from(BODY.parse(await context.req.json()).sealed, 'base64url')
      : BYTES.parse(new Uint8Array(await context.req.arrayBuffer()))
    const id = Buffer.from(sealed.subarray(0, 32)).toString('hex')
    return context.json({ id, duplicate: false, deliveries: [] }, 202)
  })
  const server = createAdaptorServer({ fetch: app.fetch })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

interface Loop {
  count: number
  inFlight: number
  /** Operations before those that are measured. */
  warmup: number
}

type Measured = LoadResult & { cpu: number }

/** One write and one fdatasync of `size` bytes after the other. */
async function fsync({ count, size }: { count: number; size: number }): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  const file = openSync(join(directory, 'log'), 'a')
  const block = randomBytes(size)
  try {
    return await measured({ count, inFlight: 1, warmup: Math.ceil(count / 10) }, async () => {
      writeSync(file, block)
      fdatasyncSync(file)
    })
  } finally {
    closeSync(file)
    await rm(directory, { recursive: true, force: true })
  }
}

/** Ed25519 verifications as the gateway makes them. */
function ed25519(loop: Loop): Promise<Measured> {
  const { device, deviceKey } = createPerson()
  const message = randomBytes(256)
  const signature = sign(null, message, deviceKey)
  const check = createSignatureVerifier()
  return measured(loop, async () => {
    if (!(await check(signature, message, device))) throw new Error('a signature did not verify')
  })
}

/** By OpenSSL on the main thread, without anything around. */
function ed25519Alone(loop: Loop): Promise<Measured> {
  const { deviceKey } = createPerson()
  const message = randomBytes(256)
  const signature = sign(null, message, deviceKey)
  const key = createPublicKey(deviceKey)
  return measured(loop, async () => {
    if (!verify(null, message, key, signature)) throw new Error('a signature did not verify')
  })
}

/** Accepts into the store alone. */
async function store(loop: Loop): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-bench-'))
  const sqlite = createSqliteStore({ path: join(directory, 'causeway.db') })
  await sqlite.open()
  try {
    const records = Array.from({ length: loop.warmup + loop.count }, (_, number) =>
      acceptRecord({ number, wallets: 128 }),
    )
    return await measured(loop, async (number) => {
      await sqlite.accept(records[number]!)
    })
  } finally {
    await sqlite.close()
    await rm(directory, { recursive: true, force: true })
  }
}

/** `cpu`: microseconds of all threads for one operation after the warm-up. */
async function measured(
  { count, inFlight, warmup }: Loop,
  operation: (number: number) => Promise<void>,
): Promise<Measured> {
  await closedLoop({ count: warmup, inFlight, warmup: 0 }, operation)
  const before = cpuMicroseconds()
  const result = await closedLoop({ count, inFlight, warmup: 0 }, (number) => operation(warmup + number))
  return { ...result, cpu: (cpuMicroseconds() - before) / count }
}

serveParent({ hono, fsync, ed25519, ed25519Alone, store, usage: () => ({ cpu: cpuMicroseconds(), rss: 0 }) })
