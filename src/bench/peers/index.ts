/** The systems that are compared. */
import { bullmq } from './bullmq.ts'
import { causeway, causewaySse, causewayUnsigned } from './causeway.ts'
import { nats } from './nats.ts'
import type { Peer } from './peer.ts'
import { rabbitmq } from './rabbitmq.ts'

export const peerList: readonly Peer[] = [causeway, causewaySse, causewayUnsigned, rabbitmq, bullmq, nats]

export function peerNamed(name: string): Peer {
  const peer = peerList.find((candidate) => candidate.name === name)
  if (!peer) throw new RangeError(`no system "${name}": ${peerList.map((known) => known.name).join(', ')}`)
  return peer
}
