/** Contents of messages and their conversions between networks. Runs in browsers; needs no SDK. */

export { readContent, readContentOrFallback, writeContent } from './content.ts'
export { decodeEncodedContent, encodeEncodedContent } from './encoded.ts'
export { ContentError, type ContentErrorCode } from './errors.ts'
export { groupUpdatedNative } from './groups.ts'
export { reactionV2 } from './reactions.ts'
export * from './types.ts'
