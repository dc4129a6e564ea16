/** Every command of the command line, as a process of its own, against a gateway. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { runCommandLine, startCommand } from '../support/command-line.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

const ADMIN_TOKEN = 'the-operator-of-the-tests'
/** What a terminal would obey; lines end with a newline. */
const UNSAFE = /(?!\n)\p{Cc}|\u202e/u
let cwd: string
let gateway: TestGateway
let environment: Record<string, string>

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'causeway-cli-'))
  gateway = await startTestGateway({
    networks: { waku: 'sandbox' },
    admin: { token: ADMIN_TOKEN },
    limits: { signInsPerMinute: 10_000, addressPerSecond: 10_000, addressBurst: 10_000 },
  })
  environment = {
    CAUSEWAY_GATEWAY: gateway.url,
    CAUSEWAY_CLIENT_DIRECTORY: join(cwd, 'wallets'),
    CAUSEWAY_ADMIN_TOKEN: ADMIN_TOKEN,
    NO_COLOR: '1',
  }
}, 60_000)

afterAll(async () => {
  await gateway?.stop()
  await rm(cwd, { recursive: true, force: true })
}, 60_000)

const run = (words: string[], more: Record<string, string> = {}) =>
  runCommandLine(words, { cwd, environment: { ...environment, ...more } })

/** Runs them two at a time, in order. */
async function runAll(list: string[][], more: Record<string, string> = {}) {
  const results: Awaited<ReturnType<typeof run>>[] = []
  const waiting = list.entries()
  const worker = async () => {
    for (const [place, words] of waiting) results[place] = await run(words, more)
  }
  await Promise.all([worker(), worker()])
  return results
}

it('tells what there is, and its version', async () => {
  const [all, config, version, unknown] = await runAll([[], ['config'], ['--version'], ['nothing']])
  for (const name of ['start', 'demo', 'bench', 'config check', 'openapi'])
    expect(all!.output).toContain(`\n  ${name} `)
  expect(all!.exit).toBe(0)
  expect(config!.output).toContain('Usage: causeway config check')
  expect(config!.exit).toBe(0)
  expect(version!.output).toBe(`${packageJson.version}\n`)
  expect(unknown).toMatchObject({ exit: 2, output: '' })
  expect(unknown!.errors).toContain('no command "nothing"')
}, 120_000)

it('lists the benchmarks, and refuses one that there is not', async () => {
  const [help, unknown] = await runAll([
    ['bench', '--help'],
    ['bench', 'nothing', '--json'],
  ])
  expect(help!.output).toContain('Usage: causeway bench <name>')
  for (const name of ['ingress', 'relay', 'fanout', 'growth', 'peers'])
    expect(help!.output).toContain(`\n  ${name} `)
  expect(help!.exit).toBe(0)
  expect(unknown).toMatchObject({ exit: 2, output: '' })
  expect(unknown!.errors).toContain('name one benchmark')
}, 120_000)

describe('messages', () => {
  it('are sent, shown, followed and listed, in words and as JSON', async () => {
    const tail = startCommand(['tail', '--as', 'bob', '--json'], { cwd, environment })
    await expect.poll(() => tail.errors(), { timeout: 60_000 }).toContain('waiting for messages')
    // The stream opens right after; what is sent before it is open would be for `inbox`.
    const metrics = () => fetch(`${gateway.url}/metrics`).then((answer) => answer.text())
    await expect.poll(metrics, { timeout: 60_000 }).toContain('causeway_live_subscribers 1')
    const sent = await run(['send', '--as', 'alice', '--to', 'bob', '--json', 'hello \u001b[2J\u202e there'])
    expect(sent.errors).toBe('')
    expect(sent.exit).toBe(0)
    const [answer] = sent.lines() as { id: string; deliveries: { network: string }[] }[]
    expect(answer).toMatchObject({ duplicate: false, deliveries: [{ network: 'waku' }] })
    await tail.shows(answer!.id)
    const tailed = await tail.interrupt()
    expect(tailed.exit).toBe(0)
    expect(tailed.output).not.toMatch(UNSAFE)
    expect(tailed.lines()).toMatchObject([
      { id: answer!.id, text: 'hello \u001b[2J\u202e there', via: 'http' },
    ])

    const [words, json, own, journey, drawn, list, listed, both, unread] = await runAll([
      ['inbox', '--as', 'bob'],
      ['inbox', '--as', 'bob', '--json', '--limit', '1'],
      ['inbox', '--as', 'alice', '--json'],
      ['journey', answer!.id, '--as', 'alice', '--json'],
      ['journey', answer!.id, '--as', 'bob'],
      ['inbox', '--as', 'bob', '--conversations'],
      ['inbox', '--as', 'bob', '--conversations', '--requests', '--json'],
      ['inbox', '--as', 'bob', '--with', 'alice', '--json'],
      ['inbox', '--as', 'alice', '--conversations', '--unread'],
    ])
    expect(list!.output).toMatch(/1 unread over http\/sealed \(unknown\)/)
    expect(list!.output).not.toMatch(UNSAFE)
    expect(listed!.lines()).toMatchObject([
      { unread: 1, consent: 'unknown', marks: [{ via: 'http', mode: 'sealed' }], last: { id: answer!.id } },
    ])
    expect(both!.lines()).toMatchObject([{ id: answer!.id, mode: 'sealed' }])
    expect(unread).toMatchObject({ exit: 0, output: '' })
    expect(words!.output).toContain('hello \ufffd[2J\ufffd there')
    expect(words!.output).not.toMatch(UNSAFE)
    expect(json!.lines()).toMatchObject([{ id: answer!.id, direction: 'received' }])
    expect(own!.lines()).toMatchObject([{ id: answer!.id, direction: 'sent' }])
    expect(journey!.lines()[0]).toMatchObject({ id: answer!.id })
    expect(JSON.stringify(journey!.lines()[0])).toContain('delivered')
    expect(drawn!.output).toContain('accepted')
  }, 300_000)

  it('go from and to wallets with keys of their own', async () => {
    const wallet = Wallet.createRandom()
    await writeFile(join(cwd, 'key.txt'), `${wallet.privateKey}\n`)
    const file = { CAUSEWAY_WALLET_KEY_FILE: join(cwd, 'key.txt') }
    const empty = await run(['inbox', '--key-file', 'key.txt'])
    expect(empty).toMatchObject({ exit: 0, output: '' })
    expect(empty.errors).toContain(wallet.address)
    const sent = await run(['send', '--as', 'carol', '--to', wallet.address, 'by address'])
    expect(sent).toMatchObject({ exit: 0, errors: '' })
    expect((await run(['inbox'], file)).output).toContain('by address')
  }, 120_000)
})

describe('operators', () => {
  it('list deliveries and send dead ones again', async () => {
    await run(['send', '--as', 'alice', '--to', 'bob', 'for the list'])
    const [json, words, none, missing] = await runAll([
      ['deliveries', '--json', '--limit', '1'],
      ['deliveries', '--network', 'waku'],
      ['deliveries', '--state', 'dead', '--json'],
      ['replay', '999999'],
    ])
    const [delivery] = json!.lines() as { id: number }[]
    expect(delivery).toMatchObject({ network: 'waku' })
    expect(words!.output).toContain('waku')
    expect(none).toMatchObject({ exit: 0, output: '', errors: 'no such deliveries\n' })
    expect(missing!.exit).toBe(5)
    await gateway.gateway.store.moveDelivery({
      id: delivery!.id,
      from: ['standby', 'pending', 'dispatching', 'uncertain', 'acknowledged', 'superseded'],
      to: 'dead',
      reason: 'as if \u001b[31mthe network refused',
      at: Date.now(),
    })
    const dead = await run(['deliveries', '--state', 'dead'])
    expect(dead.output).toContain('as if \ufffd[31mthe network refused')
    const again = await run(['replay', String(delivery!.id)])
    expect(again).toMatchObject({ exit: 0, output: `delivery ${delivery!.id} to waku is pending again\n` })
  }, 120_000)

  it('need the token', async () => {
    const [wrong, none] = await Promise.all([
      run(['deliveries', '--admin-token', 'guessed-by-someone']),
      run(['deliveries'], { CAUSEWAY_ADMIN_TOKEN: '' }),
    ])
    expect(wrong!.exit).toBe(5)
    expect(wrong!.errors).toContain('[admin-token-invalid]')
    expect(none!.exit).toBe(2)
  }, 60_000)
})

describe('exit codes', () => {
  it('1 to 5: failed, wrong usage, bad configuration, unreachable, refused', async () => {
    await writeFile(join(cwd, 'bad.yaml'), 'networks: { trtc: { sdkAppId: 1400000001 } }\n')
    const busy = new URL(gateway.url).port
    const stranger = Wallet.createRandom().address
    const [taken, usage, check, unreachable, refused, unreachablePeer] = await runAll([
      ['start', '--port', busy],
      ['start', '--port', '99999'],
      ['config', 'check', '--config', 'bad.yaml'],
      ['inbox', '--as', 'bob', '--gateway', 'http://127.0.0.1:9'],
      ['journey', 'f'.repeat(64), '--as', 'alice'],
      ['send', '--as', 'alice', '--to', stranger, 'hello?'],
    ])
    expect(taken).toMatchObject({ exit: 1, output: '' })
    expect(taken!.errors).toContain('another gateway runs there; use --port')
    expect(usage!.exit).toBe(2)
    expect(check!.exit).toBe(3)
    expect(check!.errors).toContain('secretKey is missing: set TRTC_SECRET_KEY, or TRTC_SECRET_KEY_FILE')
    expect(unreachable!.exit).toBe(4)
    expect(unreachable!.errors).toContain('Start one with')
    expect(refused!.exit).toBe(5)
    expect(unreachablePeer!.exit).toBe(1)
    expect(unreachablePeer!.errors).toContain('no device with current keys')
  }, 120_000)
})

describe('configuration', () => {
  it('is checked, and described by openapi', async () => {
    await writeFile(join(cwd, 'good.yaml'), 'server: { port: 9999 }\nnetworks: { waku: sandbox }\n')
    const [json, words, openapi] = await runAll([
      ['config', 'check', '-c', 'good.yaml', '--json'],
      ['config', 'check', '-c', 'good.yaml'],
      ['openapi'],
    ])
    expect(json!.lines()).toMatchObject([
      { file: 'good.yaml', server: { port: 9999 }, networks: [{ network: 'waku', sandbox: true }] },
    ])
    expect(words!.output).toContain('SANDBOX')
    expect(JSON.parse(openapi!.output)).toMatchObject({ openapi: '3.1.0' })
  }, 60_000)
})

describe('start, sandbox and doctor', () => {
  it('start says what runs and whether it is kept; doctor asks the gateway that runs', async () => {
    await writeFile(join(cwd, 'kept.yaml'), 'data: { directory: kept }\nnetworks: { waku: sandbox }\n')
    const kept = startCommand(['start', '-c', 'kept.yaml', '--port', '0'], {
      cwd,
      environment: { NO_COLOR: '1' },
    })
    const sandbox = startCommand(['sandbox', 'waku', '--json'], { cwd })
    try {
      await kept.shows('tail --as bob')
      expect(kept.output()).toContain('what the gateway took is kept in kept')
      expect(kept.output()).not.toContain('nothing is kept')
      expect(kept.output()).not.toMatch(UNSAFE)
      await sandbox.shows('gatewayConfig')
      expect(JSON.parse(sandbox.output())).toMatchObject({ network: 'waku' })

      const port = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(kept.output())![1]!
      const doctor = await run(['doctor', '-c', 'kept.yaml', '--json'], { CAUSEWAY_PORT: port })
      expect(doctor.exit).toBe(0)
      expect(doctor.lines()).toContainEqual(
        expect.objectContaining({ check: 'port', message: expect.stringContaining('a gateway runs at') }),
      )
      expect(doctor.lines()).toContainEqual({
        part: 'waku',
        check: 'connection',
        status: 'ok',
        message: 'connected',
      })
    } finally {
      const ends = await Promise.all([kept.interrupt(), sandbox.interrupt()])
      expect(ends.map(({ exit }) => exit)).toEqual([0, 0])
    }
  }, 120_000)

  it('doctor joins on ports and in a folder of its own, and leaves no trace', async () => {
    const folder = join(cwd, 'doctor')
    await mkdir(folder)
    const taken: Server = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    await writeFile(join(folder, 'a-file'), '')
    await writeFile(
      join(folder, 'causeway.yaml'),
      `server: { port: 0 }\nnetworks: { waku: { listen: [/ip4/127.0.0.1/tcp/${port}/ws] } }\n`,
    )
    const place = { cwd: folder, environment: { TMPDIR: folder } }
    const [doctor, unwritable] = await Promise.all([
      runCommandLine(['doctor', '--json'], place),
      runCommandLine(['doctor', '--json'], {
        ...place,
        environment: { ...place.environment, CAUSEWAY_DATA_DIRECTORY: join(folder, 'a-file') },
      }),
    ])
    taken.close()
    expect(doctor.lines()).toContainEqual(
      expect.objectContaining({ part: 'waku', check: 'listening', status: 'ok' }),
    )
    expect(doctor.exit).toBe(0)
    expect(unwritable.exit).toBe(1)
    expect(unwritable.lines()).toContainEqual(expect.objectContaining({ check: 'data', status: 'error' }))
    expect((await readdir(folder)).sort()).toEqual(['a-file', 'causeway.yaml'])
  }, 120_000)
})
