import type { EnvelopeErrorCode } from '../envelope/errors.ts'
import type { ProblemEntry } from './problems.ts'

export const envelopeProblems: Record<EnvelopeErrorCode, ProblemEntry> = {
  'encoding-invalid': {
    status: 400,
    title: 'A text is not valid hexadecimal, base64url or UTF-8',
    fix: 'Send ids as lower-case hexadecimal and bytes as base64url without padding.',
  },
  'value-not-encodable': {
    status: 400,
    title: 'A value has no canonical CBOR form',
    fix: 'Use integers, byte strings, well-formed text, booleans, null, arrays and maps with text keys only.',
  },
  'envelope-too-large': {
    status: 413,
    title: 'The envelope is larger than this gateway takes',
    fix: 'Send large content as an encrypted remote attachment, and address fewer devices in one envelope.',
  },
  'envelope-malformed': {
    status: 400,
    title: 'The bytes are not an envelope',
    fix: 'Send the sealed envelope as the client library returns it, without wrapping or re-encoding it.',
  },
  'envelope-not-canonical': {
    status: 400,
    title: 'The envelope is not in deterministic CBOR',
    fix: 'Encode with the core deterministic rules of RFC 8949 section 4.2.1.',
  },
  'envelope-header-invalid': {
    status: 400,
    title: 'A field of the envelope’s header is invalid',
    fix: 'Correct the field named in the detail; the header is specified in docs/reference/envelope-v1.md.',
  },
  'envelope-version-unsupported': {
    status: 422,
    title: 'This gateway does not know the envelope’s version',
    fix: 'Seal with version 1, or update the gateway.',
  },
  'envelope-suite-unsupported': {
    status: 422,
    title: 'The envelope’s cipher suite cannot be used here',
    fix: 'Seal with suite 1 or 2.',
  },
  'envelope-recipients-invalid': {
    status: 400,
    title: 'The recipients of the envelope are invalid',
    fix: 'Give between 1 and 256 different wallet keys.',
  },
  'envelope-key-invalid': {
    status: 400,
    title: 'A key in the envelope is invalid',
    fix: 'Fetch the recipients’ keys again and seal anew.',
  },
  'envelope-wrap-unlisted': {
    status: 400,
    title: 'A key wrap is not covered by the sender’s signature',
    fix: 'Do not add or alter key wraps after sealing.',
  },
  'envelope-signature-invalid': {
    status: 422,
    title: 'The envelope’s signature is not that of its device',
    fix: 'Sign with the device that the header names, after the last change to the envelope.',
  },
  'envelope-no-key': {
    status: 422,
    title: 'The envelope holds no key for this device',
    fix: 'Ask the sender to fetch the recipient’s prekeys again and to send anew.',
  },
  'envelope-open-failed': {
    status: 422,
    title: 'The envelope cannot be opened with this key',
    fix: 'Ask the sender to send anew.',
  },
  'envelope-commitment-mismatch': {
    status: 422,
    title: 'The content key does not belong to the envelope’s body',
    fix: 'Do not trust this envelope; ask the sender to send anew.',
  },
  'envelope-padding-invalid': {
    status: 422,
    title: 'The padding of the content is invalid',
    fix: 'Pad with the client library.',
  },
  'envelope-content-too-large': {
    status: 413,
    title: 'The content is too large to travel inside an envelope',
    fix: 'Send it as an encrypted remote attachment.',
  },
  'content-malformed': {
    status: 422,
    title: 'The opened content is not well-formed',
    fix: 'Encode the content with the client library.',
  },
  'frame-too-large': {
    status: 413,
    title: 'The frame is larger than allowed',
    fix: 'Send a smaller envelope; a frame may add 8 KiB to it.',
  },
  'frame-malformed': {
    status: 400,
    title: 'The bytes are not a frame',
    fix: 'Send the frame as the client library returns it.',
  },
  'frame-version-unsupported': {
    status: 422,
    title: 'This gateway does not know the frame’s version',
    fix: 'Use frame version 1, or update the gateway.',
  },
  'frame-kind-unsupported': {
    status: 422,
    title: 'This gateway does not know the frame’s kind',
    fix: 'Use kind 1 (envelope) or 2 (opaque parcel), or update the gateway.',
  },
  'frame-hops-exceeded': {
    status: 508,
    title: 'The frame has passed too many gateways',
    fix: 'Look for gateways that send to each other in a circle.',
  },
  'frame-id-mismatch': {
    status: 400,
    title: 'The frame names another id than its envelope has',
    fix: 'Build the frame from the sealed envelope with the client library.',
  },
}
