import assert from 'node:assert/strict'
import { createHook } from 'node:async_hooks'
import { type Check, GRACE_MS, neverAborted } from '../bench.ts'

/** Kinds of asynchronous resource that mean input, output or a timer. Promises and ticks are not among them. */
const IO =
  /^(Timeout|Immediate|TCP|PIPE|UDP|TLS|TTY|FS|FILEHANDLE|DIRHANDLE|GETADDRINFO|GETNAMEINFO|QUERY|HTTP|WORKER|MESSAGEPORT|PROCESS|STATWATCHER)/i

/** Kinds of the input, output and timers that `work` begins before it returns. */
function ioBegunBy(work: () => void): string[] {
  const kinds: string[] = []
  const hook = createHook({
    init(_id, kind) {
      if (IO.test(kind)) kinds.push(kind)
    },
  })
  hook.enable()
  try {
    work()
  } finally {
    hook.disable()
  }
  return kinds
}

export const lifecycleChecks: Check[] = [
  {
    name: 'create does no I/O: no socket, timer, file, folder, delivery or state report',
    async run(bench) {
      // Once before, so that modules that load on first use do not count.
      bench.open()
      const begun = ioBegunBy(() => {
        bench.open()
      })
      assert.deepEqual(begun, [], 'create must not begin input, output or timers')
      const { context } = bench.open()
      await context.clock.sleep(GRACE_MS)
      assert.equal(context.directoryUsed, false, 'create must not make the folder')
      assert.deepEqual(context.states, [], 'create must not report a state')
      assert.deepEqual(context.deliveries, [], 'create must not deliver')
    },
  },
  {
    name: 'start connects and says so',
    async run(bench) {
      const { context } = await bench.connect()
      // Each change to `connected` starts a reconcile walk, so that a repeat is not harmless.
      const states = context.states.map(({ state }) => state)
      const repeated = states.some(
        (state, index) => state === 'connected' && states[index - 1] === 'connected',
      )
      assert.ok(!repeated, `connected is reported twice in a row: ${states.join(', ')}`)
    },
  },
  {
    name: 'start does not reject while the network is out, and the adapter connects when it is back',
    async run(bench) {
      const opened = bench.open()
      const ran = await bench.duringOutage(async () => {
        await opened.start()
        assert.notEqual(opened.context.lastState(), 'connected', 'it cannot be connected while cut off')
        assert.ok(opened.context.states.length > 0, 'the state is reported while cut off')
      })
      if (ran) await opened.connected()
    },
  },
  {
    name: 'stop may come before start, twice, and during an outage, and is reported',
    async run(bench) {
      const never = bench.open()
      await never.stop()
      const opened = await bench.connect()
      await opened.stop()
      assert.equal(opened.context.lastState(), 'stopped')
      await opened.stop()
      assert.equal(opened.context.lastState(), 'stopped')
      const cut = await bench.connect()
      await bench.duringOutage(() => cut.stop())
    },
  },
  {
    name: 'start, stop, start: sends and hears again',
    async run(bench) {
      const opened = await bench.connect()
      await opened.stop()
      const since = Date.now() - 1000
      await opened.start()
      await opened.connected()
      const intent = bench.intent()
      await bench.send(opened, intent)
      await bench.arrival(intent.frame)
      const { frame } = bench.intent()
      await bench.harness.network.inject(frame, { from: bench.bob.address, to: bench.alice.address })
      await bench.heard(opened, frame, since)
    },
  },
  {
    name: 'nothing is delivered after stop',
    async run(bench) {
      const opened = await bench.connect()
      await opened.stop()
      const { frame } = bench.intent()
      await bench.harness.network.inject(frame, { from: bench.alice.address, to: bench.bob.address })
      await bench.arrival(frame)
      await opened.context.clock.sleep(GRACE_MS)
      assert.equal(opened.context.offered(frame).length, 0, 'a frame was delivered after stop')
    },
  },
  {
    name: 'stop ends a start that is under way',
    async run(bench) {
      const opened = bench.open()
      await bench.duringOutage(async () => {
        const starting = Promise.allSettled([opened.adapter.start(neverAborted())])
        await opened.stop()
        await bench.settles(starting, 'a start that was stopped')
        await bench.waitFor(() => opened.context.lastState() === 'stopped', { what: 'the state "stopped"' })
      })
    },
  },
]
