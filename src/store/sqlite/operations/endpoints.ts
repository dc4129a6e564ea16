/** The address map and routes. */
import type { Route, StoredEndpoint } from '../../port.ts'
import type { Database } from '../database.ts'

/** `taken` when another wallet has the address and either of the two wants it for itself. */
export function putEndpoint(database: Database, endpoint: StoredEndpoint): 'done' | 'taken' {
  const walletId = database.memberId(endpoint.wallet)
  const exclusive = endpoint.exclusive ? 1 : 0
  const other = database.row(
    `SELECT 1 FROM endpoints WHERE network = ? AND address = ? AND wallet_id <> ? AND (exclusive = 1 OR ? = 1) LIMIT 1`,
    endpoint.network,
    endpoint.address,
    walletId,
    exclusive,
  )
  if (other !== null) return 'taken'
  database.run(
    `INSERT INTO endpoints (wallet_id, network, address, enabled, source, exclusive, updated_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (wallet_id, network) DO UPDATE SET address = excluded.address, enabled = excluded.enabled,
       source = excluded.source, exclusive = excluded.exclusive, updated_at = excluded.updated_at`,
    walletId,
    endpoint.network,
    endpoint.address,
    endpoint.enabled ? 1 : 0,
    endpoint.source,
    exclusive,
    endpoint.updatedAt,
  )
  return 'done'
}

type EndpointRow = Omit<StoredEndpoint, 'enabled' | 'exclusive'> & { enabled: number; exclusive: number }

export function endpoints(database: Database, wallet: string): StoredEndpoint[] {
  const rows = database.rows<EndpointRow>(
    `SELECT w.wallet, e.network, e.address, e.enabled, e.source, e.exclusive, e.updated_at AS updatedAt
     FROM endpoints e JOIN wallets w ON w.id = e.wallet_id WHERE e.wallet_id = ? ORDER BY e.network`,
    database.findWallet(wallet),
  )
  return rows.map((row) => ({ ...row, enabled: row.enabled === 1, exclusive: row.exclusive === 1 }))
}

export function walletsAt(
  database: Database,
  { network, address }: { network: string; address: string },
): string[] {
  const rows = database.rows<{ wallet: string }>(
    `SELECT w.wallet FROM endpoints e JOIN wallets w ON w.id = e.wallet_id
     WHERE e.network = ? AND e.address = ? ORDER BY e.wallet_id`,
    network,
    address,
  )
  return rows.map((row) => row.wallet)
}

export function putRoute(database: Database, { wallet, route }: { wallet: string; route: Route }): void {
  database.run(
    'INSERT INTO routes (wallet_id, route) VALUES (?, ?) ON CONFLICT (wallet_id) DO UPDATE SET route = excluded.route',
    database.memberId(wallet),
    JSON.stringify(route),
  )
}

export function getRoute(database: Database, wallet: string): Route | null {
  const row = database.row<{ route: string }>(
    'SELECT route FROM routes WHERE wallet_id = ?',
    database.findWallet(wallet),
  )
  return row === null ? null : (JSON.parse(row.route) as Route)
}
