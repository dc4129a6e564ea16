/** The embedded node's libp2p key, kept so that its peer id, which clients dial, survives restarts. */
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'

/** Reads `node.key` of the folder, or makes it (readable by its owner alone). */
export async function loadNodeKey(directory: string): Promise<PrivateKey> {
  const file = join(directory, 'node.key')
  try {
    return privateKeyFromProtobuf(await readFile(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const key = await generateKeyPair('Ed25519')
  const temporary = `${file}.new`
  await writeFile(temporary, privateKeyToProtobuf(key), { mode: 0o600 })
  await chmod(temporary, 0o600)
  await rename(temporary, file)
  return key
}
