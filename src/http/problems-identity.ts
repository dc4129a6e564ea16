import type { IdentityErrorCode } from '../identity/errors.ts'
import type { ProblemEntry } from './problems.ts'

export const identityProblems: Record<IdentityErrorCode, ProblemEntry> = {
  'account-malformed': {
    status: 400,
    title: 'The wallet is not written as an account',
    fix: 'Use a CAIP-10 account such as eip155:1:0x…, a wallet key, or a bare EVM address.',
  },
  'account-checksum': {
    status: 400,
    title: 'The address fails its EIP-55 checksum',
    fix: 'Check the address for a typing error, or write it in lower case.',
  },
  'identity-namespace-unsupported': {
    status: 422,
    title: 'Wallets of this kind cannot sign in',
    fix: 'Sign in with an EVM account, a smart account or a Solana account.',
  },
  'account-kind-mismatch': {
    status: 409,
    title: 'The account is of another kind than was said',
    fix: 'Say kind evm-contract for a smart account, with its chain, and leave it out for an account that a private key controls (EIP-7702 accounts among them).',
  },
  'chain-not-configured': {
    status: 422,
    title: 'Smart accounts of this chain cannot be checked here',
    fix: 'The operator adds a node of the chain to the configuration (identity.chains), or the user signs in with an account that a private key controls.',
  },
  'wallet-verification-unavailable': {
    status: 503,
    title: 'The chain of the smart account gave no answer',
    fix: 'Send the same signature again in a moment: nothing is known against it. The operator finds the cause in the log.',
  },
  'domain-malformed': {
    status: 400,
    title: 'The domain is not a host name',
    fix: 'Use a host name, with a port where one is needed, and no scheme or path.',
  },
  'device-key-malformed': {
    status: 400,
    title: 'The device key is not an Ed25519 public key',
    fix: 'Send 32 bytes.',
  },
  'device-label-malformed': {
    status: 400,
    title: 'The device label cannot be shown in the text to sign',
    fix: 'Use a short label of printable characters on one line.',
  },
  'device-unknown': {
    status: 403,
    title: 'The device is not certified by the wallet',
    fix: 'Sign in with this device first, so that the wallet certifies it, or send its certificate along.',
  },
  'challenge-unknown': {
    status: 404,
    title: 'There is no such challenge, or it was used',
    fix: 'Ask for a new challenge; each can be used once.',
  },
  'challenge-expired': {
    status: 410,
    title: 'The challenge has expired',
    fix: 'Ask for a new challenge and sign it sooner.',
  },
  'challenge-superseded': {
    status: 409,
    title: 'The wallet’s key log, or the gateway’s domain, has changed since the challenge was made',
    fix: 'Ask for a new challenge.',
  },
  'wallet-signature-invalid': {
    status: 401,
    title: 'The signature is not that of the wallet',
    fix: 'Sign the exact text of the challenge with the account that it names (EIP-191 personal_sign; Ed25519 on Solana). A smart account says kind evm-contract when it asks for the challenge.',
  },
  'key-entry-malformed': {
    status: 400,
    title: 'The key-log entry is malformed',
    fix: 'Let the gateway compose the entry.',
  },
  'key-entry-lifetime': {
    status: 422,
    title: 'The lifetime of the key-log entry is out of bounds',
    fix: 'Certify the device anew; a certificate lives 30 days at most.',
  },
  'key-action-unsupported': {
    status: 422,
    title: 'This action on the key log is not supported',
    fix: 'Use add or revoke.',
  },
  'key-log-busy': {
    status: 429,
    title: 'The wallet has certified too many devices lately',
    fix: 'Sign in with a device that is certified already, or wait: 20 a day and 60 in 30 days are taken. Keep device keys instead of making new ones.',
  },
  'key-log-broken': {
    status: 500,
    title: 'The wallet’s key log does not hold together',
    fix: 'Do not trust keys of this wallet from this gateway; the operator must restore the store.',
  },
  'key-log-forked': {
    status: 409,
    title: 'The wallet’s key log differs from the one seen before',
    fix: 'Do not trust it; ask the wallet’s owner over another channel.',
  },
  'key-log-untrusted-domain': {
    status: 403,
    title: 'The key log was signed for a domain that is not trusted here',
    fix: 'Sign in at this gateway, or have its operator trust the domain.',
  },
  'certificate-malformed': {
    status: 400,
    title: 'The device certificate is malformed',
    fix: 'Send the certificate as the sign-in returned it.',
  },
  'certificate-untrusted-domain': {
    status: 403,
    title: 'The device was certified for a domain that is not trusted here',
    fix: 'Sign in at this gateway, or have its operator trust the domain.',
  },
  'prekey-malformed': {
    status: 400,
    title: 'A prekey is malformed',
    fix: 'Publish prekeys as the client library makes them.',
  },
  'prekey-foreign': {
    status: 403,
    title: 'A prekey belongs to another wallet or device',
    fix: 'Publish each device’s prekeys with that device’s own session.',
  },
  'prekey-signature-invalid': {
    status: 422,
    title: 'A prekey is not signed by its device',
    fix: 'Sign the prekey with the device of the session.',
  },
  'prekey-lifetime': {
    status: 422,
    title: 'The lifetime of a prekey is out of bounds',
    fix: 'Make new prekeys; they live 30 days at most.',
  },
  'consent-malformed': {
    status: 400,
    title: 'The consent is malformed',
    fix: 'Make it as the client library does; docs/guides/hop-mode.md has the format.',
  },
  'consent-signature-invalid': {
    status: 422,
    title: 'The consent is not signed by the device that it names',
    fix: 'Sign the consent’s bytes with the device of the session.',
  },
  'consent-mismatch': {
    status: 422,
    title: 'The consent is for something else',
    fix: 'Name this gateway and its key (GET /v1/gateway), the network, its terms, the wallet and the device of the session.',
  },
  'consent-expired': {
    status: 422,
    title: 'The consent is not valid at this time',
    fix: 'Sign a new one; it must be handed in within ten minutes, and the clock of the device must be right.',
  },
  'consent-used': {
    status: 409,
    title: 'The consent was used before',
    fix: 'Sign a new one; each counts once.',
  },
  'endpoint-taken': {
    status: 409,
    title: 'Another wallet has this address on the network',
    fix: 'Use an address of your own.',
  },
  'endpoint-address-invalid': {
    status: 400,
    title: 'The address does not have the network’s form',
    fix: 'Check the address against the network’s documentation.',
  },
  'network-not-enabled': {
    status: 404,
    title: 'This gateway has not joined the network',
    fix: 'Choose one of GET /v1/networks.',
  },
  'route-invalid': {
    status: 400,
    title: 'The route is invalid',
    fix: 'Name each network of GET /v1/networks at most once, or use "ranked".',
  },
}
