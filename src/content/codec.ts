/** What each codec of a content type is. */
import type { EncodedContent, KnownContent } from './types.ts'

export type OfKind<Kind extends KnownContent['kind']> = Extract<KnownContent, { kind: Kind }>

/** One content type, both ways. Reading throws `content-bytes-invalid`, writing `content-value-invalid`. */
export interface Codec<Kind extends KnownContent['kind']> {
  type: string
  read(encoded: EncodedContent): OfKind<Kind>
  write(content: OfKind<Kind>): Omit<EncodedContent, 'type'>
}
