/** What must hold after every check, whatever it was about. */
import assert from 'node:assert/strict'
import type { Adapter } from '../contract.ts'
import type { AdapterError } from '../errors.ts'
import type { RecordingContext } from './context.ts'
import type { ContractHarness } from './harness.ts'

export function assertInboundShape(context: RecordingContext): void {
  for (const { inbound } of context.deliveries) {
    assert.ok(inbound.remoteId !== '', 'an inbound frame has the remote id of its message')
    assert.ok(['stream', 'history', 'webhook'].includes(inbound.via), `via "${inbound.via}" is not known`)
    if (inbound.remoteTime !== null) {
      assert.ok(Number.isSafeInteger(inbound.remoteTime), 'remoteTime is in whole Unix milliseconds')
      const hours = Math.abs(inbound.remoteTime - Date.now()) / 3_600_000
      assert.ok(hours < 24 * 366, 'remoteTime is in Unix milliseconds, not seconds or nanoseconds')
    }
  }
}

/**
 * Secrets of the configuration never reach a description, a state report, a log or an error message; wallets' whole
 * addresses reach none of the last three.
 */
export function assertNothingLeaked(
  harness: ContractHarness,
  adapter: Adapter,
  context: RecordingContext,
  errors: readonly AdapterError[],
): void {
  const described = stringify(adapter.describe?.() ?? {})
  const states = stringify(context.states)
  const logs = stringify(context.logs)
  const messages = errors.map((error) => error.message).join('\n')
  const places = { 'a state report': states, 'a log': logs, 'an error message': messages }
  for (const [path, secret] of secretsOf(harness)) {
    for (const [place, text] of Object.entries({ ...places, 'describe()': described })) {
      assert.ok(!text.includes(secret), `the secret "${path}" of the configuration stands in ${place}`)
    }
  }
  for (const { wallet, address } of harness.wallets) {
    const account = wallet.split(':').at(-1) ?? wallet
    const addresses = adapter.capabilities().sharedAddresses ? [account] : [account, address]
    for (const [place, text] of Object.entries(places)) {
      const found = addresses.some((one) => text.toLowerCase().includes(one.toLowerCase()))
      assert.ok(!found, `a whole address of a wallet stands in ${place}`)
    }
  }
}

/** Values of the configuration that the manifest marks as secret, by path; as given and as parsed. */
export function secretsOf({ definition, config }: ContractHarness): [path: string, secret: string][] {
  const sources = [config, definition.config.parse(config)]
  return definition.manifest.environment
    .filter((variable) => variable.secret)
    .flatMap(({ path }) =>
      sources.map((source): [string, unknown] => [path, path.split('.').reduce<unknown>(property, source)]),
    )
    .filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '')
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

/** JSON with errors, byte arrays and big integers readable, so that a leak cannot hide in them. */
function stringify(value: unknown): string {
  const seen = new Set<unknown>()
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return String(item)
    if (typeof item !== 'object' || item === null) return item
    if (seen.has(item)) return '[seen]'
    seen.add(item)
    if (item instanceof Error)
      return { name: item.name, message: item.message, stack: item.stack, cause: item.cause }
    if (item instanceof Uint8Array) return Buffer.from(item).toString('hex')
    return item
  })
}
