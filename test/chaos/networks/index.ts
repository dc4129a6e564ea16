/** The networks of the harness. A later one joins by a line here. */
import { push } from './push.ts'
import type { ChaosNetwork } from './row.ts'
import { trtc } from './trtc.ts'
import { waku, wakuLight } from './waku.ts'
import { xmtp } from './xmtp.ts'

export const chaosNetworks: Readonly<Record<string, ChaosNetwork>> = {
  trtc,
  waku,
  'waku-light': wakuLight,
  xmtp,
  push,
}

export type { ChaosNetwork, FaultKind, RunningNetwork } from './row.ts'
