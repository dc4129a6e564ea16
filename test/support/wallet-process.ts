/** A wallet in a process of its own: the private key never leaves it. Signs what it is told to over the process channel. */
import { Wallet } from 'ethers'

const wallet = Wallet.createRandom()

process.on('message', async ({ id, text }: { id: number; text: string }) => {
  process.send?.({ id, signature: await wallet.signMessage(text) })
})
process.send?.({ address: wallet.address })
