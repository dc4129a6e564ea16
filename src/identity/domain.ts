/** Domains of gateways, as wallets see them in the text that they sign. */
import { IdentityError } from './errors.ts'

const DOMAIN = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[1-9][0-9]{0,4})?$/
const LOOPBACK = /^(?:localhost|127(?:\.[0-9]+){3}|\[::1\])(?::|$)/

/** Room for any sensible host name while a certificate stays under 1 KB. */
export const MAX_DOMAIN_LENGTH = 128

/** Returns the domain if it is a lower-case host with an optional port (RFC 3986 authority without user). Errors: `domain-malformed`. */
export function requireDomain(domain: string): string {
  if (typeof domain !== 'string' || domain.length > MAX_DOMAIN_LENGTH || !DOMAIN.test(domain)) {
    throw new IdentityError(
      'domain-malformed',
      `A domain is a lower-case host name with an optional port, at most ${MAX_DOMAIN_LENGTH} characters`,
    )
  }
  return domain
}

/**
 * The subject of a signed text (EIP-4361 `uri`): where the wallet's key log is served. It follows from the domain, so that
 * anyone can compose the text again from a certificate. Loopback domains have no TLS.
 */
export function keyLogUri(domain: string, wallet: string): string {
  const scheme = LOOPBACK.test(domain) ? 'http' : 'https'
  return `${scheme}://${domain}/v1/wallets/${wallet}/keys`
}
