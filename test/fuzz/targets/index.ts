import type { Target } from '../target.ts'
import { configTargets } from './config.ts'
import { envelopeTargets } from './envelope.ts'
import { hopTargets } from './hop.ts'
import { httpTargets } from './http.ts'
import { identityTargets } from './identity.ts'
import { pushTargets } from './push.ts'
import { relayTargets } from './relay.ts'
import { trtcTargets } from './trtc.ts'
import { wakuAnswerTargets } from './waku-answers.ts'
import { wakuLiveTargets } from './waku-live.ts'
import { wakuServiceTargets } from './waku-services.ts'

/** Every target, in the order in which they run. */
export const targets: readonly Target[] = [
  ...envelopeTargets,
  ...identityTargets,
  ...hopTargets,
  ...trtcTargets,
  ...pushTargets,
  ...wakuServiceTargets,
  ...wakuAnswerTargets,
  ...wakuLiveTargets,
  ...configTargets,
  ...httpTargets,
  ...relayTargets,
]

/** Throws `RangeError` for a name that no target has. */
export function findTarget(name: string): Target {
  const found = targets.find((target) => target.name === name)
  if (!found) throw new RangeError(`There is no target ${name}`)
  return found
}
