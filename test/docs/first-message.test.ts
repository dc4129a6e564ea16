/** What the README tells a newcomer to do, done: its code, as it stands there, against a gateway. */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
let gateway: TestGateway
let folder: string

beforeAll(async () => {
  gateway = await startTestGateway({ networks: { waku: 'sandbox', trtc: 'sandbox' } })
  folder = await mkdtemp(join(root, 'data-readme-'))
}, 60_000)

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
  await gateway?.stop()
}, 60_000)

async function run(code: string): Promise<{ exit: number | null; output: string }> {
  const file = join(folder, 'hello.ts')
  await writeFile(file, code)
  const child = spawn(process.execPath, [file], {
    cwd: folder,
    env: { ...process.env, CAUSEWAY_GATEWAY: gateway.url },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exit = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { exit, output }
}

it('runs the code of the README', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const { exit, output } = await run(
    block.replace("'http://127.0.0.1:8787'", 'process.env.CAUSEWAY_GATEWAY!'),
  )
  expect(output).toMatch(/^eip155:\*:0x[0-9a-f]{40} hello\n$/)
  expect(exit).toBe(0)
})

it('runs the code of the guide to the inbox', async () => {
  const guide = await readFile(join(root, 'docs/guides/inbox.md'), 'utf8')
  const block = /```ts\n([\s\S]*?)```/.exec(guide)?.[1] ?? ''
  const { exit, output } = await run(
    block.replace("'http://127.0.0.1:8787'", 'process.env.CAUSEWAY_GATEWAY!'),
  )
  expect(output).toBe('true 2 http/sealed It is about tomorrow.\nallowed 0\nYes.\n')
  expect(exit).toBe(0)
})

it('runs the example', async () => {
  const { exit, output } = await run(await readFile(join(root, 'examples/hello.ts'), 'utf8'))
  expect(output).toContain('says: hello')
  expect(exit).toBe(0)
})
