/** The gateway's own key pair: its id in hop traces follows from it, and clients may pin its public half. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  base32Lower,
  deriveEncryptionKeyPair,
  fromBase64url,
  generateDeviceKey,
  H,
  toBase64url,
} from './envelope/index.ts'

export interface GatewayKey {
  /** 26 characters: base32 of the first 16 bytes of the public key's hash. */
  id: string
  /** Ed25519. Also the gateway's own device, which signs what it attests in hop mode. */
  publicKey: Uint8Array
  privateKey: Uint8Array
  /** X25519, to which clients seal what the gateway itself has to read: hop requests, and keys that they hand over. */
  encryption: { publicKey: Uint8Array; privateKey: Uint8Array }
}

/**
 * Reads `gateway.key` from the data folder, or makes one. Only its owner may read the file; whoever has it can pass as
 * this gateway, and a gateway that loses it is a new one to the others.
 */
export async function loadGatewayKey(directory: string): Promise<GatewayKey> {
  const path = join(directory, 'gateway.key')
  const stored = await readKey(path)
  const pair = stored ?? generateDeviceKey()
  if (!stored) {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const content = JSON.stringify({
      publicKey: toBase64url(pair.publicKey),
      privateKey: toBase64url(pair.privateKey),
    })
    // On disk before it has its name: a loss of power leaves a whole key or none.
    await writeFile(`${path}.new`, content, { mode: 0o600, flush: true })
    await rename(`${path}.new`, path)
  }
  return {
    ...pair,
    id: base32Lower(H('causeway/gateway/1', pair.publicKey).subarray(0, 16)),
    encryption: await deriveEncryptionKeyPair(H('causeway/gateway-encryption/1', pair.privateKey)),
  }
}

async function readKey(path: string): Promise<{ publicKey: Uint8Array; privateKey: Uint8Array } | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const value = JSON.parse(text) as { publicKey: string; privateKey: string }
    return { publicKey: fromBase64url(value.publicKey), privateKey: fromBase64url(value.privateKey) }
  } catch (cause) {
    throw new Error(
      `${path} holds no key; restore it from a backup, or remove it to be a new gateway to the others`,
      { cause },
    )
  }
}
