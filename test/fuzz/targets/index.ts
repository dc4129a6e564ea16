import type { Target } from '../target.ts'
import { envelopeTargets } from './envelope.ts'
import { identityTargets } from './identity.ts'
import { trtcTargets } from './trtc.ts'

/** Every target, in the order in which they run. */
export const targets: readonly Target[] = [...envelopeTargets, ...identityTargets, ...trtcTargets]

export function findTarget(name: string): Target {
  const found = targets.find((target) => target.name === name)
  if (!found)
    throw new RangeError(
      `There is no target ${name}; there are: ${targets.map((target) => target.name).join(', ')}`,
    )
  return found
}
