/**
 * Light Push client for versions 3 and 2. Used instead of the SDK's `lightPush.send` because that one drops the peer's
 * status code, encodes once per peer, repeats a send that had succeeded, and does not fall back to version 2.
 */
import { randomUUID } from 'node:crypto'
import type { Connection } from '@libp2p/interface'
import { proto_lightpush } from '@waku/proto'
import { WakuError } from '../errors.ts'
import { codecs } from './codecs.ts'
import { type NetworkMessage, toProto } from './message.ts'
import { request } from './streams.ts'

const MAX_ANSWER_BYTES = 16 * 1024

export interface PushAnswer {
  /** Peers that the service node relayed to, where it says so. */
  relayPeers: number | null
}

/**
 * Pushes one message to the peer of `connection`, by version 3 where `protocols` has it, else by version 2.
 * Errors: `no-peer` (it serves neither), `refused` with the status, `answer-lost`, `malformed-answer`.
 */
export async function lightPush(
  connection: Connection,
  protocols: readonly string[],
  message: NetworkMessage,
  signal: AbortSignal,
): Promise<PushAnswer> {
  if (protocols.includes(codecs.lightPushV3)) return pushV3(connection, message, signal)
  if (protocols.includes(codecs.lightPushV2)) return pushV2(connection, message, signal)
  throw new WakuError('no-peer', 'The peer serves no Light Push; configure a service node that does')
}

async function pushV3(
  connection: Connection,
  message: NetworkMessage,
  signal: AbortSignal,
): Promise<PushAnswer> {
  const bytes = proto_lightpush.LightPushRequestV3.encode({
    requestId: randomUUID(),
    pubsubTopic: message.pubsubTopic,
    message: toProto(message),
  })
  const answer = await request(connection, codecs.lightPushV3, bytes, {
    signal,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  })
  const response = decode(() => proto_lightpush.LightPushResponseV3.decode(answer))
  if (response.statusCode !== 200) throw refused(response.statusCode, response.statusDesc)
  return { relayPeers: response.relayPeerCount ?? null }
}

async function pushV2(
  connection: Connection,
  message: NetworkMessage,
  signal: AbortSignal,
): Promise<PushAnswer> {
  const bytes = proto_lightpush.PushRpc.encode({
    requestId: randomUUID(),
    request: { pubsubTopic: message.pubsubTopic, message: toProto(message) },
  })
  const answer = await request(connection, codecs.lightPushV2, bytes, {
    signal,
    maxAnswerBytes: MAX_ANSWER_BYTES,
  })
  const { response } = decode(() => proto_lightpush.PushRpc.decode(answer))
  if (!response) throw new WakuError('malformed-answer', 'A Light Push 2 answer holds no response')
  // Version 2 has no status codes: a refusal may be for now or for good, so it is retried.
  if (!response.isSuccess) throw refused(503, response.info)
  return { relayPeers: response.relayPeerCount ?? null }
}

function decode<Answer>(read: () => Answer): Answer {
  try {
    return read()
  } catch (cause) {
    throw new WakuError('malformed-answer', 'A Light Push answer is not valid protobuf', { cause })
  }
}

function refused(status: number, description: string | undefined): WakuError {
  return new WakuError(
    'refused',
    `A Waku peer refused the message: ${(description ?? 'no reason given').slice(0, 200)}`,
    {
      status,
    },
  )
}
