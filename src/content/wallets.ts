/** Transactions and requests for them, as XMTP has them (JSON). */
import type { Codec } from './codec.ts'
import { readJson, writeJson } from './json.ts'
import { TYPES } from './types.ts'
import { textOf } from './utf8.ts'

export const transactionReference: Codec<'transactionReference'> = {
  type: TYPES.transactionReference,
  read({ bytes }) {
    const members = readJson(bytes, 'transaction reference')
    const metadata = members.optionalObject('metadata')
    return {
      kind: 'transactionReference',
      namespace: members.optionalText('namespace'),
      networkId: members.text('networkId'),
      reference: members.text('reference'),
      metadata: metadata && {
        transactionType: metadata.text('transactionType'),
        currency: metadata.text('currency'),
        amount: metadata.number('amount'),
        decimals: metadata.number('decimals'),
        fromAddress: metadata.text('fromAddress'),
        toAddress: metadata.text('toAddress'),
      },
    }
  },
  write({ namespace, networkId, reference, metadata }) {
    return {
      parameters: {},
      fallback:
        reference === ''
          ? 'Crypto transaction'
          : `[Crypto transaction] Use a blockchain explorer to learn more using the transaction hash: ${reference}`,
      bytes: writeJson({ namespace, networkId, reference, metadata }),
    }
  },
}

export const walletSendCalls: Codec<'walletSendCalls'> = {
  type: TYPES.walletSendCalls,
  read({ bytes }) {
    const members = readJson(bytes, 'request for calls')
    return {
      kind: 'walletSendCalls',
      version: members.text('version'),
      chainId: members.text('chainId'),
      from: members.text('from'),
      calls: members.objects('calls').map((call) => ({
        to: call.optionalText('to'),
        data: call.optionalText('data'),
        value: call.optionalText('value'),
        gas: call.optionalText('gas'),
        metadata: call.optionalTexts('metadata'),
      })),
      capabilities: members.optionalTexts('capabilities'),
    }
  },
  write({ kind: _kind, ...members }) {
    const bytes = writeJson(members)
    return {
      parameters: {},
      fallback: `[Transaction request generated]: ${textOf(bytes, 'request for calls')}`,
      bytes,
    }
  },
}
