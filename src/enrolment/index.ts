export { EnrolmentError, type EnrolmentErrorCode } from './errors.ts'
export { createEnrolments } from './service.ts'
export type * from './types.ts'
