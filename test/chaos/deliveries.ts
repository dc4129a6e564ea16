/** What the gateway still has to send, as an operator sees it. */

export interface OpenDelivery {
  envelopeId: string
  network: string
  state: string
  reason: string | null
  /** All of it in words. */
  text: string
}

/** Deliveries that have not ended, or ended badly. */
export async function openDeliveries(
  url: string,
  adminToken: string,
  states: readonly string[] = ['pending', 'dispatching', 'uncertain', 'dead'],
): Promise<OpenDelivery[]> {
  const found: OpenDelivery[] = []
  for (const state of states) {
    const response = await fetch(`${url}/v1/admin/deliveries?state=${state}&limit=100`, {
      headers: { authorization: `Bearer ${adminToken}` },
    })
    if (!response.ok) throw new Error(`GET /v1/admin/deliveries: ${response.status} ${await response.text()}`)
    const { deliveries } = (await response.json()) as { deliveries: Omit<OpenDelivery, 'text'>[] }
    for (const { envelopeId, network, reason } of deliveries) {
      const text = `the delivery of ${envelopeId.slice(0, 12)} on ${network} is ${state} (${reason ?? 'no reason'})`
      found.push({ envelopeId, network, state, reason, text })
    }
  }
  return found
}
