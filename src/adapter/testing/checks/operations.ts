import assert from 'node:assert/strict'
import type { Finding } from '../../facets.ts'
import { type Check, neverAborted } from '../bench.ts'

function assertFindings(findings: Finding[]): void {
  assert.ok(findings.length > 0, 'the doctor has something to say')
  for (const { check, status, message } of findings) {
    assert.ok(check !== '' && message !== '', 'a finding names what was looked at and what was found')
    assert.ok(['ok', 'warning', 'error'].includes(status), `status "${status}" is not known`)
  }
}

export const operationChecks: Check[] = [
  {
    name: 'doctor: no error while connected; while cut off, a finding that says what to do',
    async run(bench) {
      const opened = await bench.connect()
      const { doctor } = opened.adapter
      if (!doctor) return
      const well = await bench.settles(doctor.examine(neverAborted()), 'examine', 60_000)
      assertFindings(well)
      const errors = well.filter(({ status }) => status === 'error')
      assert.deepEqual(errors, [], 'the doctor finds errors in a connected adapter')
      await bench.duringOutage(async () => {
        await bench.waitFor(
          async () => {
            const ill = await bench.settles(doctor.examine(neverAborted()), 'examine while cut off', 60_000)
            assertFindings(ill)
            return ill.some(({ status, fix }) => status !== 'ok' && fix)
          },
          { timeoutMs: 60_000, what: 'a finding of the doctor that is not ok, with a fix, while cut off' },
        )
      })
    },
  },
  {
    name: 'describe gives JSON, before start and while connected, and no secret',
    async run(bench) {
      // Secrets are looked for after every check, see the invariants.
      const opened = bench.open()
      const before = opened.adapter.describe?.() ?? {}
      assert.deepEqual(JSON.parse(JSON.stringify(before)), before, 'describe must give plain JSON')
      await opened.start()
      await opened.connected()
      const connected = opened.adapter.describe?.() ?? {}
      assert.deepEqual(JSON.parse(JSON.stringify(connected)), connected, 'describe must give plain JSON')
    },
  },
  {
    name: 'the manifest names each environment variable once, with a path that the configuration has',
    async run(bench) {
      const { manifest, config } = bench.harness.definition
      const names = manifest.environment.map(({ name }) => name)
      assert.equal(new Set(names).size, names.length, 'an environment variable is named twice')
      for (const name of names) assert.match(name, /^[A-Z][A-Z0-9_]*$/)
      const parsed = config.safeParse({ ...(bench.harness.config as object), 'no-such-key': 1 })
      assert.equal(parsed.success, false, 'the configuration schema must be strict')
    },
  },
]
