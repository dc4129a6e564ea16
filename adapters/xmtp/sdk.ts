/**
 * Loads the SDK when the network is started and not before: it is a native library of 39 MB. Keeps what the SDK writes to
 * the console out of the gateway's logs.
 */
import type * as NodeSdk from '@xmtp/node-sdk'
import { XmtpError } from './errors.ts'

export type Sdk = typeof NodeSdk

/**
 * What the SDK says on the console for each message that it has no codec for, or cannot decode. Anyone may write such
 * messages to the gateway's inbox.
 */
const NOISE = /^(No codec found for content type|Error decoding custom content|Streamed message with ID )/

let loading: Promise<Sdk> | null = null

/**
 * The SDK, loaded once. Throws `XmtpError` `native-binding-missing` where its native library does not load on this machine;
 * the next call tries again.
 */
export function loadSdk(load: () => Promise<Sdk> = () => import('@xmtp/node-sdk')): Promise<Sdk> {
  loading ??= load().then(
    (sdk) => {
      silenceConsole()
      return sdk
    },
    (cause: unknown) => {
      loading = null
      throw new XmtpError('native-binding-missing', bindingMessage(cause), { cause })
    },
  )
  return loading
}

/** Version of the C library that this process runs on; null where it is not glibc. */
export function glibcVersion(): string | null {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report.header?.glibcVersionRuntime ?? null
}

function bindingMessage(cause: unknown): string {
  const required = /GLIBC_([0-9.]+)/.exec(textOf(cause))?.[1]
  const here = glibcVersion()
  return required === undefined
    ? `The native library of the XMTP SDK does not load on ${process.platform} ${process.arch}`
    : `The native library of the XMTP SDK needs glibc ${required}; this machine has ${here ?? 'another C library'}`
}

/** The text of an error with those of its causes, where the loader puts what really happened. */
function textOf(error: unknown): string {
  const texts: string[] = []
  for (let current = error; current instanceof Error && texts.length < 8; current = current.cause) {
    texts.push(current.message)
  }
  return texts.join('\n')
}

/** Drops those lines of `console.warn`, and passes all others on. */
export function silenceConsole(): void {
  const warn = console.warn
  console.warn = (...values: unknown[]) => {
    if (typeof values[0] !== 'string' || !NOISE.test(values[0])) warn.apply(console, values)
  }
}
