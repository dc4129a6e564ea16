/**
 * The wallet's signature, asked for in one call and given in another. The SDK asks while it registers the installation, and
 * waits as long as it takes; everything until then is in memory, and a text cannot be signed for another process.
 */
import type { Identifier } from '@xmtp/node-bindings'
import type { Signer } from '@xmtp/node-sdk'
import { verifyMessage } from 'ethers/hash'
import type { EnrolledAccount } from '../../../src/adapter/index.ts'
import { fromHex } from '../../../src/envelope/index.ts'
import { XmtpError } from '../errors.ts'
import type { XmtpInbox } from '../inbox.ts'
import type { Sdk } from '../sdk.ts'
import { identifierOf } from '../wallet.ts'

export interface Opened {
  sdk: Sdk
  inbox: XmtpInbox
  release: () => void
}

export class Ceremony {
  readonly account: EnrolledAccount
  /** The exact text that libxmtp asks the wallet to sign. Rejects with `XmtpError` when registration fails before. */
  readonly text: Promise<string>
  /** Resolves once the installation is registered. */
  readonly opened: Promise<Opened>
  readonly #text = Promise.withResolvers<string>()
  readonly #signature = Promise.withResolvers<Uint8Array>()
  #chainId: bigint

  constructor(account: EnrolledAccount, open: (signer: Signer) => Promise<Opened>) {
    this.account = account
    this.#chainId = identityOf(account).chainId
    this.text = this.#text.promise
    this.opened = open(this.signer())
    this.opened.catch((error: unknown) => this.#text.reject(error))
    // Whoever awaits them hears of it; a ceremony that is abandoned has nobody who does.
    this.text.catch(() => undefined)
    this.#signature.promise.catch(() => undefined)
  }

  signer(): Signer {
    const { identifier } = identityOf(this.account)
    const signing = {
      getIdentifier: () => identifier,
      signMessage: (text: string) => {
        this.#text.resolve(text)
        return this.#signature.promise
      },
    }
    return this.account.kind === 'evm-contract'
      ? { type: 'SCW', ...signing, getChainId: () => this.#chainId }
      : { type: 'EOA', ...signing }
  }

  /** `chainId`: where a contract's signature is checked, if it is not the chain that the wallet named. */
  sign(signature: string, chainId: number | null): void {
    if (chainId !== null) this.#chainId = BigInt(chainId)
    this.#signature.resolve(fromHex(signature.slice(2)))
  }

  /** Ends it; what the SDK opened is closed again. Resolves then, which may be never. */
  async abandon(): Promise<void> {
    this.#signature.reject(new XmtpError('aborted', 'The enrolment was given up'))
    const opened = await this.opened.catch(() => undefined)
    await opened?.inbox.close()
    opened?.release()
  }
}

/** How XMTP names the account, and the chain that it signs on (1 where none was named). */
export function identityOf({ address, chainId }: EnrolledAccount): {
  identifier: Identifier
  chainId: bigint
} {
  return { identifier: identifierOf(address), chainId: BigInt(chainId ?? 1) }
}

/**
 * Throws `signature-invalid` unless a plain account signed the text, so that a wrong signature does not end the enrolment. A
 * contract's signature is checked by the network.
 */
export function verifySignature(account: EnrolledAccount, text: string, signature: string): void {
  const invalid = (cause?: unknown) =>
    new XmtpError('signature-invalid', 'The signature is not the wallet’s over the text that was given', {
      cause,
    })
  if (!/^0x([0-9a-fA-F]{2})+$/.test(signature)) throw invalid()
  if (account.kind === 'evm-contract') return
  let signer: string
  try {
    signer = verifyMessage(text, signature)
  } catch (error) {
    throw invalid(error)
  }
  if (signer.toLowerCase() !== account.address.toLowerCase()) throw invalid()
}
