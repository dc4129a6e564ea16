/**
 * An independent reader of EIP-4361 texts for tests: a hand translation of the ABNF in the standard and of the rules of
 * RFC 3986 and RFC 3339 that it refers to. Shares nothing with the code that composes texts.
 */

const UNRESERVED = '[A-Za-z0-9\\-._~]'
const PERCENT = '%[0-9A-Fa-f]{2}'
const SUB_DELIMS = "[!$&'()*+,;=]"
const PCHAR = `(?:${UNRESERVED}|${PERCENT}|${SUB_DELIMS}|[:@])`
const DEC_OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const IPV4 = `${DEC_OCTET}(?:\\.${DEC_OCTET}){3}`
const IP_LITERAL = '\\[[0-9A-Fa-f:.]+\\]'
const REG_NAME = `(?:${UNRESERVED}|${PERCENT}|${SUB_DELIMS})*`
const AUTHORITY = `(?:${IP_LITERAL}|${IPV4}|${REG_NAME})(?::[0-9]*)?`
const QUERY = `(?:${PCHAR}|[/?])*`
const PATHS = `(?://${AUTHORITY}(?:/${PCHAR}*)*|/(?:${PCHAR}+(?:/${PCHAR}*)*)?|${PCHAR}+(?:/${PCHAR}*)*|)`
const URI = `[A-Za-z][A-Za-z0-9+.-]*:${PATHS}(?:\\?${QUERY})?(?:#${QUERY})?`
const STATEMENT = "[:/?#\\[\\]@!$&'()*+,;=A-Za-z0-9\\-._~ ]+"
const DATE_TIME =
  '[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})'

const MESSAGE = new RegExp(
  `^(?<domain>${AUTHORITY}) wants you to sign in with your Ethereum account:\\n` +
    '(?<address>0x[0-9A-Fa-f]{40})\\n' +
    '\\n' +
    `(?:(?<statement>${STATEMENT})\\n)?` +
    '\\n' +
    `URI: (?<uri>${URI})\\n` +
    'Version: (?<version>1)\\n' +
    'Chain ID: (?<chainId>[0-9]+)\\n' +
    'Nonce: (?<nonce>[A-Za-z0-9]{8,})\\n' +
    `Issued At: (?<issuedAt>${DATE_TIME})` +
    `(?:\\nExpiration Time: (?<expirationTime>${DATE_TIME}))?` +
    `(?:\\nNot Before: (?<notBefore>${DATE_TIME}))?` +
    `(?:\\nRequest ID: (?<requestId>${PCHAR}*))?` +
    `(?<resources>\\nResources:(?:\\n- ${URI})*)?$`,
)

export interface Eip4361Message {
  domain: string
  address: string
  statement: string | undefined
  uri: string
  chainId: string
  nonce: string
  issuedAt: string
  expirationTime: string | undefined
  requestId: string | undefined
  resources: string[]
}

/** The parts of a text that follows the grammar, else null. */
export function parseEip4361(text: string): Eip4361Message | null {
  const parts = MESSAGE.exec(text)?.groups as Record<string, string | undefined> | undefined
  if (parts === undefined) return null
  return {
    domain: parts.domain!,
    address: parts.address!,
    statement: parts.statement,
    uri: parts.uri!,
    chainId: parts.chainId!,
    nonce: parts.nonce!,
    issuedAt: parts.issuedAt!,
    expirationTime: parts.expirationTime,
    requestId: parts.requestId,
    resources: parts.resources?.split('\n- ').slice(1) ?? [],
  }
}
