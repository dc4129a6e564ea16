import type { Target } from '../target.ts'
import { envelopeTargets } from './envelope.ts'
import { identityTargets } from './identity.ts'
import { trtcTargets } from './trtc.ts'
import { wakuAnswerTargets } from './waku-answers.ts'
import { wakuServiceTargets } from './waku-services.ts'

/** Every target, in the order in which they run. */
export const targets: readonly Target[] = [
  ...envelopeTargets,
  ...identityTargets,
  ...trtcTargets,
  ...wakuServiceTargets,
  ...wakuAnswerTargets,
]

/** Throws `RangeError` for a name that no target has. */
export function findTarget(name: string): Target {
  const found = targets.find((target) => target.name === name)
  if (!found) throw new RangeError(`There is no target ${name}`)
  return found
}
