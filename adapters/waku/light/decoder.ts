/** Decoder for the SDK's Filter that keeps nanoseconds and the exact hash, which the SDK's own decoder hides. */
import type { IDecodedMessage, IDecoder, IProtoMessage, IRoutingInfo } from '@waku/interfaces'
import { describeMessage, type NetworkMessage, readMessage, toMilliseconds } from '../wire/message.ts'

/** A decoded message that carries the whole message of the network. */
export interface ExactMessage extends IDecodedMessage {
  exact: NetworkMessage
}

export class ExactDecoder implements IDecoder<ExactMessage> {
  readonly contentTopic: string
  readonly routingInfo: IRoutingInfo

  constructor(contentTopic: string, routingInfo: IRoutingInfo) {
    this.contentTopic = contentTopic
    this.routingInfo = routingInfo
  }

  get pubsubTopic(): string {
    return this.routingInfo.pubsubTopic
  }

  async fromWireToProtoObj(bytes: Uint8Array): Promise<IProtoMessage | undefined> {
    const message = readMessage(this.pubsubTopic, bytes)
    if (!message) return undefined
    const { payload, contentTopic, timestamp, ephemeral } = message
    return {
      payload,
      contentTopic,
      timestamp,
      ephemeral,
      version: 0,
      meta: undefined,
      rateLimitProof: undefined,
    }
  }

  /** Undefined for what is not a message: the SDK then calls back with `undefined`, which callers must expect. */
  async fromProtoObj(pubsubTopic: string, proto: IProtoMessage): Promise<ExactMessage | undefined> {
    const { payload, contentTopic, version, timestamp, meta, ephemeral } = proto
    const exact = describeMessage(pubsubTopic, {
      payload,
      contentTopic,
      ...(version === undefined ? {} : { version }),
      ...(timestamp === undefined ? {} : { timestamp }),
      ...(meta === undefined ? {} : { meta }),
      ...(ephemeral === undefined ? {} : { ephemeral }),
    })
    if (!exact) return undefined
    return {
      exact,
      version: version ?? 0,
      payload: exact.payload,
      contentTopic: exact.contentTopic,
      pubsubTopic,
      timestamp: exact.timestamp > 0n ? new Date(toMilliseconds(exact.timestamp)) : undefined,
      rateLimitProof: undefined,
      ephemeral: exact.ephemeral,
      meta,
      hash: exact.hash,
      hashStr: exact.id,
    }
  }
}
