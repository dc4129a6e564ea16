/** The near side of a wallet in another process. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { WalletSigner } from '../../src/client/index.ts'

export interface RemoteWallet extends WalletSigner {
  readonly address: string
  /** Texts that it was asked to sign. */
  readonly signed: readonly string[]
  /** Opens its Push account at this REST address, a new one if need be, and gives the account's PGP key, armored. */
  pushKey(baseUrl: string): Promise<Uint8Array>
  /** Ends the process. */
  close(): Promise<void>
}

export async function startRemoteWallet(): Promise<RemoteWallet> {
  const child = fork(new URL('wallet-process.ts', import.meta.url))
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  const signed: string[] = []
  let asked = 0
  return {
    address,
    signed,
    getAddress: async () => address,
    async signMessage(text) {
      signed.push(text)
      return askFor(child, ++asked, { text })
    },
    async pushKey(baseUrl) {
      return new TextEncoder().encode(await askFor(child, ++asked, { push: baseUrl }))
    },
    async close() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}

function askFor(child: ChildProcess, id: number, what: object): Promise<string> {
  return new Promise((resolve) => {
    const take = (message: { id?: number; answer?: string }) => {
      if (message.id !== id || message.answer === undefined) return
      child.off('message', take)
      resolve(message.answer)
    }
    child.on('message', take)
    child.send({ id, ...what })
  })
}
