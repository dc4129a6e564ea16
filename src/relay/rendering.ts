/** How a hop request was rendered, as its journey tells it. */
import type { Rendering } from '../adapter/index.ts'
import type { Checkpoint, Delivery } from '../store/port.ts'

/** Reason of a delivery of whose content the network's clients would see nothing. */
export const CONTENT_DROPPED = 'content-dropped'

const DETAIL = /^rendered-(native|converted|fallback)$/

/** Detail of the checkpoint `dispatched`; null where nothing is rendered. */
export function renderingDetail(rendering: Rendering | null): string | null {
  return rendering && `rendered-${rendering}`
}

/** How the last try of a delivery was rendered; null for other modes, and before the first. */
export function renderingOf(
  delivery: Pick<Delivery, 'id' | 'reason'>,
  journey: readonly Pick<Checkpoint, 'name' | 'deliveryId' | 'detail'>[],
): Rendering | null {
  if (delivery.reason === CONTENT_DROPPED) return 'dropped'
  const details = journey.flatMap(({ name, deliveryId, detail }) =>
    name === 'dispatched' && deliveryId === delivery.id ? [DETAIL.exec(detail ?? '')?.[1]] : [],
  )
  return (details.findLast((found) => found !== undefined) as Rendering | undefined) ?? null
}
