import assert from 'node:assert/strict'
import { type Check, neverAborted } from '../bench.ts'

export const identityChecks: Check[] = [
  {
    name: 'addressOf is deterministic, well-formed and answers before start',
    async run(bench) {
      const { adapter } = bench.open()
      if (!adapter.identity) return
      for (const { wallet, address } of bench.harness.wallets) {
        const derived = adapter.identity.addressOf(wallet)
        assert.equal(
          bench.open().adapter.identity?.addressOf(wallet),
          derived,
          'two adapters derive different addresses',
        )
        if (derived !== null) {
          assert.equal(
            derived,
            address,
            'addressOf differs from the address at which the wallet has its client',
          )
        }
        assert.ok(adapter.identity.isAddress(address), 'isAddress must take an address of the network')
      }
      for (const wrong of ['', ' ', 'no address \u0000 of any network']) {
        assert.equal(
          adapter.identity.isAddress(wrong),
          false,
          `isAddress must refuse ${JSON.stringify(wrong)}`,
        )
      }
    },
  },
  {
    name: 'capability sharedAddresses: wallets share addresses exactly if declared',
    async run(bench) {
      const { adapter } = bench.open()
      const { identity } = adapter
      if (!identity) return
      const addresses = Array.from({ length: 1000 }, () => identity.addressOf(bench.stranger()))
      const derived = addresses.filter((address) => address !== null)
      for (const address of derived)
        assert.ok(identity.isAddress(address), 'isAddress(addressOf(wallet)) must hold')
      const shared = new Set(derived).size < derived.length
      if (!adapter.capabilities().sharedAddresses) {
        assert.ok(!shared, 'two wallets have the same address, but sharedAddresses is declared false')
      } else if (derived.length > 0) {
        assert.ok(shared, 'sharedAddresses is declared, but a thousand wallets have a thousand addresses')
      }
    },
  },
  {
    name: 'provision may be repeated, and the wallet can receive afterwards',
    async run(bench) {
      const opened = await bench.connect()
      const { identity } = opened.adapter
      if (!identity?.provision) return
      const wallet = bench.stranger()
      const address = identity.addressOf(wallet)
      const endpoints = address === null ? [bench.bob] : [bench.bob, { wallet, address }]
      for (const endpoint of endpoints) {
        await bench.settles(identity.provision(endpoint, neverAborted()), 'provision')
        await bench.settles(identity.provision(endpoint, neverAborted()), 'provision again')
        await bench.send(opened, bench.intent({ to: endpoint }))
      }
    },
  },
  {
    name: "the gateway's own address has the network's form",
    async run(bench) {
      const { identity } = (await bench.connect()).adapter
      const own = identity?.ownAddress() ?? null
      if (own !== null) assert.ok(identity?.isAddress(own))
    },
  },
]
