import { isHop, readHopOrigin } from '../envelope/index.ts'
import type { NewDelivery } from '../store/port.ts'
import type { Entry } from './checks.ts'
import { RelayError } from './errors.ts'
import { maySendOn } from './loop-guard.ts'
import type { RelayContext } from './parts.ts'
import type { Planner } from './planner.ts'

/** Wallets of `to`, by where they are. */
export interface Recipients {
  /** Served by this gateway. */
  here: string[]
  /** Reached on networks that federate. */
  elsewhere: string[]
  senderServed: boolean
}

/** Finds out where an envelope goes. */
export interface Resolver {
  /** Who of the recipients is served here and who is reached elsewhere. Throws `recipient-unreachable`. */
  recipientsOf(entry: Entry): Promise<Recipients>
  /** The deliveries to all of them, by their routes. */
  plan(entry: Entry, recipients: Recipients): Promise<NewDelivery[]>
  /** Where a wallet is reached. `served`: by this gateway. */
  endpointsOf(wallet: string, served: boolean): Promise<{ network: string; address: string }[]>
}

export function createResolver(context: RelayContext, planner: Pick<Planner, 'plan'>): Resolver {
  const { directory, networks } = context

  /** Addresses of a wallet that this gateway does not serve, on networks where its own gateway may hear. */
  function reachable(wallet: string): { network: string; address: string }[] {
    return networks.names().flatMap((network) => {
      const { adapter, definition } = networks.get(network) ?? {}
      const open = definition?.manifest.federates && adapter?.capabilities().reachesAnyone
      const address = open && adapter?.identity?.addressOf(wallet)
      return address ? [{ network, address }] : []
    })
  }

  const endpointsOf: Resolver['endpointsOf'] = async (wallet, served) =>
    served ? directory.endpoints(wallet) : reachable(wallet)

  async function recipientsOf({ envelope, inbound }: Entry): Promise<Recipients> {
    const { from, to } = envelope.header
    const served = await directory.servedAmong([from, ...to])
    const senderServed = served.has(from)
    const here = to.filter((wallet) => served.has(wallet))
    // No open relay: what is heard on a network goes on to the wallets of this gateway and to nobody else.
    const elsewhere = inbound ? [] : to.filter((wallet) => !served.has(wallet))
    if (here.length + elsewhere.length === 0 || elsewhere.some((wallet) => reachable(wallet).length === 0)) {
      throw new RelayError(
        'recipient-unreachable',
        'A recipient has not signed in here and no network reaches it',
      )
    }
    return { here, elsewhere, senderServed }
  }

  async function plan(entry: Entry, { here, elsewhere }: Recipients): Promise<NewDelivery[]> {
    // A frame at the end of its trace reaches inboxes and goes no further.
    if (!maySendOn(entry.trace)) return []
    const { envelope, inbound, receivedAt, via } = entry
    // A native message is on its own network already, with the wallet's own client there.
    const native = isHop(envelope.header) ? readHopOrigin(envelope.header).network : null
    const planned = await Promise.all(
      [...here, ...elsewhere].map(async (wallet) => {
        const endpoints = await endpointsOf(wallet, here.includes(wallet))
        return planner.plan({
          envelopeId: envelope.id,
          wallet,
          sender: envelope.header.from,
          endpoints: endpoints.filter(({ network }) => network !== native),
          heardAt: inbound ? { network: via, address: inbound.to } : null,
          now: receivedAt,
        })
      }),
    )
    return planned.flat()
  }

  return { recipientsOf, plan, endpointsOf }
}
