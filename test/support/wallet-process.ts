/**
 * A wallet in a process of its own: the private key never leaves it. Signs what it is told to over the process channel, and
 * gives out the key of its Push account, unwrapped there by the unmodified SDK.
 */
import { Wallet } from 'ethers'

const wallet = Wallet.createRandom()

async function pushKey(baseUrl: string): Promise<string> {
  const { connectPushUser } = await import('../../adapters/push/sandbox/sdk-user.ts')
  const user = await connectPushUser({ baseUrl, signer: wallet, acceptRequests: false })
  const { decryptedPgpPrivateKey } = (await user.invoke('encryption.info')) as {
    decryptedPgpPrivateKey: string
  }
  await user.close()
  return decryptedPgpPrivateKey
}

process.on('message', async ({ id, text, push }: { id: number; text?: string; push?: string }) => {
  process.send?.({ id, answer: push ? await pushKey(push) : await wallet.signMessage(text ?? '') })
})
process.send?.({ address: wallet.address })
