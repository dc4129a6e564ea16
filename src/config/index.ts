export * from './load.ts'
export { type Config, configSchema, routeSchema } from './schema.ts'
