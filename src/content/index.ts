/** Contents of messages and their conversions between networks. Runs in browsers; needs no SDK. */

export { readContent, readContentOrFallback, writeContent } from './content.ts'
export { decodeEncodedContent, encodeEncodedContent } from './encoded.ts'
export { ContentError, type ContentErrorCode } from './errors.ts'
export { groupUpdatedNative } from './groups.ts'
export {
  type Arrival,
  NETWORK_CONTENTS,
  type NetworkContents,
  pushContents,
  trtcContents,
  xmtpContents,
} from './networks.ts'
export { reactionV2 } from './reactions.ts'
export { type About, type Rendered, render } from './render.ts'
export * from './types.ts'
