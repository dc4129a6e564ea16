/** The HTTP API. */
export { renderMetricsReference } from '../observability/metrics.ts'
export { createHttpApi, type HttpApi } from './app.ts'
export type { GatewayDescription, HttpParts } from './context.ts'
export { renderOpenApi } from './openapi.ts'
export {
  listProblems,
  type ProblemCode,
  type ProblemEntry,
  problems,
  renderErrorsReference,
} from './problems.ts'
export type { HttpServer, ListenOptions } from './server.ts'
export { defaultHttpSettings, type HttpLimits, type HttpSettings, type StreamSettings } from './settings.ts'
