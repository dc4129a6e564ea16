import type { App } from '../context.ts'
import { registerAdmin } from './admin.ts'
import { registerAuth } from './auth.ts'
import { registerConversations } from './conversations.ts'
import { registerEnrolments } from './enrolments.ts'
import { registerEnvelopes } from './envelopes.ts'
import { registerGateway } from './gateway.ts'
import { registerInbox } from './inbox.ts'
import { registerMirrors } from './mirrors.ts'
import { registerOperations } from './operations.ts'
import { registerRouteExplanations } from './routes.ts'
import { registerWallets } from './wallets.ts'
import { registerWebhooks } from './webhooks.ts'

/** Registers every documented route. Handlers find the gateway's parts in their context, so that routes can be described without any. */
export function registerRoutes(app: App): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'session', {
    type: 'http',
    scheme: 'bearer',
    description: 'Token of `POST /v1/auth/verify`.',
  })
  app.openAPIRegistry.registerComponent('securitySchemes', 'admin', {
    type: 'http',
    scheme: 'bearer',
    description: 'Token of the configuration, `admin.token`.',
  })
  registerAuth(app)
  registerGateway(app)
  registerWallets(app)
  registerEnvelopes(app)
  registerRouteExplanations(app)
  registerInbox(app)
  registerConversations(app)
  registerEnrolments(app)
  registerMirrors(app)
  registerWebhooks(app)
  registerOperations(app)
  registerAdmin(app)
}
