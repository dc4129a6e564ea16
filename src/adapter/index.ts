/** The adapter contract, as adapters import it. */
export * from './capabilities.ts'
export * from './clock.ts'
export * from './context.ts'
export * from './contract.ts'
export * from './errors.ts'
export * from './facets.ts'
export * from './limited-text.ts'
export * from './sandbox.ts'
