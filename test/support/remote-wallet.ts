/** The near side of a wallet in another process. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { WalletSigner } from '../../src/client/index.ts'

export interface RemoteWallet extends WalletSigner {
  readonly address: string
  /** Texts that it was asked to sign. */
  readonly signed: readonly string[]
  /** Ends the process. */
  close(): Promise<void>
}

export async function startRemoteWallet(): Promise<RemoteWallet> {
  const child = fork(new URL('wallet-process.ts', import.meta.url))
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  const signed: string[] = []
  return {
    address,
    signed,
    getAddress: async () => address,
    async signMessage(text) {
      signed.push(text)
      return askFor(child, signed.length, text)
    },
    async close() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

function askFor(child: ChildProcess, id: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const take = (answer: { id?: number; signature?: string }) => {
      if (answer.id !== id || answer.signature === undefined) return
      child.off('message', take)
      resolve(answer.signature)
    }
    child.on('message', take)
    child.send({ id, text })
  })
}
