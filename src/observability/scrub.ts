/**
 * The last gate before a log line leaves the process: whatever reached the line, secrets do not.
 *
 * Key-based redaction (pino `redact`) sees only the paths that somebody thought of. It misses deeper levels, arrays, message
 * text, error messages, extra properties of errors and query strings. So the finished line is searched for what secrets
 * look like. False positives cost readability, false negatives cost a wallet: in doubt the text goes.
 */

const SECRET_NAMES =
  'usersig|user_sig|token|access_token|refresh_token|id_token|secret|client_secret|secretkey|secret_key|password|passphrase|' +
  'signature|sig|sign|apikey|api_key|api-key|private|privatekey|private_key|mnemonic|seed|authorization|cookie|plaintext'

/** The id of a libp2p peer is a public key, and without it the address of a node is of no use. */
const PEER = '/p2p/(?:12D3Koo|16Uiu2)[1-9A-HJ-NP-Za-km-z]{40,46}(?![A-Za-z0-9_-])'
/** Fewest hexadecimal characters that are taken for a key, a hash or an address: 20 bytes. */
const LONG_HEX = 40
/** Fewest base64url characters that are taken for a secret: 32 bytes. */
const LONG_BASE64 = 43

interface Rule {
  pattern: RegExp
  replacement: string | ((text: string, ...groups: string[]) => string)
}

const RULES: readonly Rule[] = [
  // Bytes that JSON turned into numbers: Buffer, typed array (object with number keys), array of small numbers.
  { pattern: /\{\\*"type\\*":\\*"Buffer\\*",\\*"data\\*":\[[\d,]*\]\}/g, replacement: '"[bytes]"' },
  { pattern: /\{\\*"0\\*":\d{1,3}(?:,\\*"\d+\\*":\d{1,3}){11,}\}/g, replacement: '"[bytes]"' },
  { pattern: /\[\d{1,3}(?:,\s?\d{1,3}){15,}\]/g, replacement: '"[bytes]"' },
  // `Authorization: Bearer …` wherever it stands.
  { pattern: /\b(bearer|basic)(\s+|%20)[^\s"\\,;]+/gi, replacement: '$1 [scrubbed]' },
  // Values under a telling name in JSON, also in JSON inside a JSON string.
  {
    pattern: new RegExp(
      `(\\\\*"(?:${SECRET_NAMES})\\\\*"\\s*:\\s*)(\\\\*)"((?:[^"\\\\]|\\\\[^"])*?)\\2"`,
      'gi',
    ),
    replacement: '$1$2"[scrubbed]$2"',
  },
  // …and in query strings, form bodies and `name=value` texts.
  {
    pattern: new RegExp(`\\b(${SECRET_NAMES})=[^\\s&"'\\\\,;)]+`, 'gi'),
    replacement: '$1=[scrubbed]',
  },
  // The path of a webhook is its secret.
  { pattern: /(\/hooks\/[a-z0-9-]+\/)[^\s/?"'\\]+/g, replacement: '$1[scrubbed]' },
  // JSON Web Tokens, and the zlib-compressed UserSig.
  { pattern: /\beyJ[\w-]+\.[\w-]+(?:\.[\w-]*)?/g, replacement: '[jwt]' },
  { pattern: /\beJ[A-Za-z0-9*_+/=-]{30,}/g, replacement: '[usersig]' },
  // Addresses, transaction hashes, private keys, ids. The first characters stay for whoever compares lines.
  {
    pattern: new RegExp(`(0x)?(?<![0-9a-fA-F])[0-9a-fA-F]{${LONG_HEX},}`, 'g'),
    replacement: (text, prefix) => (prefix ? `${text.slice(0, 6)}…` : '[hex]'),
  },
  {
    pattern: new RegExp(`${PEER}|[A-Za-z0-9*_-]{${LONG_BASE64},}={0,2}`, 'g'),
    replacement: (text) => (text.startsWith('/p2p/') ? text : '[secret]'),
  },
  {
    pattern: new RegExp(`[A-Za-z0-9+/]{${LONG_BASE64},}={0,2}`, 'g'),
    replacement: (text) => (isLikelyBase64(text) ? '[secret]' : text),
  },
]

/** A path of a source file also matches the alphabet of base64; random bytes have long mixed stretches between slashes. */
function isLikelyBase64(text: string): boolean {
  if (text.endsWith('=') || text.includes('+')) return true
  return text
    .replace(new RegExp(PEER, 'g'), '')
    .split('/')
    .some((part) => part.length >= 12 && /[0-9]/.test(part) && /[A-Z]/.test(part) && /[a-z]/.test(part))
}

/** Replaces everything in `line` that looks like a secret or a whole wallet address. The result of a JSON line is JSON again. */
export function scrub(line: string): string {
  let text = line
  for (const { pattern, replacement } of RULES) text = text.replace(pattern, replacement as string)
  return text
}
