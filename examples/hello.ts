// Two wallets, one message. Start a gateway first (npm start), then: npx node examples/hello.ts
import { createClient } from 'causeway/client'
import { Wallet } from 'ethers'

const gateway = process.env.CAUSEWAY_GATEWAY ?? 'http://127.0.0.1:8787'

// Any ethers-style signer will do: a wallet in the browser, a key of your own. It signs once, to admit this device.
const alice = await createClient({ gateway, signer: Wallet.createRandom() })
const bob = await createClient({ gateway, signer: Wallet.createRandom() })
await alice.signIn()
await bob.signIn()

// Sealed here, to Bob's devices; the gateway relays it over every network of Bob's route and cannot read it.
const sent = await alice.send({ to: bob.account, text: 'hello' })
console.log(`sent ${sent.id} over ${sent.deliveries.map(({ network }) => network).join(' and ')}`)

// Verified and opened here: Bob's client checks Alice's key log and signature itself.
for (const { message } of await bob.inbox()) console.log(`${message?.from} says: ${message?.text}`)
