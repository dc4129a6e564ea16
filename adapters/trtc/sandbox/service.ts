/** The stand-in's parts, wired: what REST and sockets have in common. SANDBOX. */
import { createDirect, type Direct } from './direct.ts'
import type { FaultState } from './faults.ts'
import { createGroups, type Groups } from './groups.ts'
import { createUsers, type Users } from './users.ts'
import { createWebhooks, type Webhooks } from './webhooks.ts'

export interface App {
  sdkAppId: number
  secretKey: string
  adminUserId: string
  webhookToken: string
}

export interface Service {
  app: App
  users: Users
  direct: Direct
  groups: Groups
  webhooks: Webhooks
  faults: FaultState
  /** Unix milliseconds. */
  now(): number
}

export function createService(
  app: App,
  options: { faults: FaultState; now(): number; beforeWebhooks: boolean },
): Service {
  const { faults, now, beforeWebhooks } = options
  const webhooks = createWebhooks({ sdkAppId: app.sdkAppId, token: app.webhookToken, faults, now })
  const users = createUsers(webhooks)
  const randomUint32 = () => Math.floor(faults.random() * 0x1_0000_0000)
  users.import(app.adminUserId)
  return {
    app,
    users,
    webhooks,
    faults,
    now,
    direct: createDirect({ users, webhooks, beforeWebhooks, now, randomUint32 }),
    groups: createGroups({
      users,
      webhooks,
      beforeWebhooks,
      now,
      randomUint32,
      adminUserId: app.adminUserId,
    }),
  }
}
