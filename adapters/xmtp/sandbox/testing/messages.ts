/** Bytes that the node can read as far as it reads: hulls of MLS messages, key packages and identity updates. */
import { identityUpdateCodec } from '../../wire/index.ts'

/** A vector as RFC 9420 encodes its length, up to 2^30 bytes. */
function vector(bytes: Uint8Array): Buffer {
  const { length } = bytes
  if (length < 64) return Buffer.concat([Buffer.from([length]), bytes])
  const head = Buffer.alloc(4)
  head.writeUInt32BE(length + 0x8000_0000)
  return Buffer.concat([head, bytes])
}

/** An MLS private message of epoch 1, whose ciphertext is `body`. */
export function mlsMessage(groupId: Uint8Array, body: string, options: { isCommit?: boolean } = {}): Buffer {
  const epoch = Buffer.alloc(8)
  epoch.writeBigUInt64BE(1n)
  return Buffer.concat([
    Buffer.from([0, 1, 0, 2]),
    vector(groupId),
    epoch,
    Buffer.from([options.isCommit ? 3 : 1]),
    Buffer.from(body),
  ])
}

export function groupInput(groupId: Uint8Array, body: string): object {
  return { v1: { data: mlsMessage(groupId, body) } }
}

export function keyPackage(installationKey: Uint8Array, initKey: string): Buffer {
  const parts = [Buffer.from(initKey), Buffer.from('encryption key'), installationKey].map(vector)
  return Buffer.concat([Buffer.from([0, 1, 0, 1]), ...parts])
}

export type Action = { create: string } | { add: Buffer } | { revoke: Buffer }

export function updateBytes(inboxId: string, actions: Action[]): Buffer {
  return identityUpdateCodec.encode({
    inboxId,
    actions: actions.map((action) => {
      if ('create' in action) return { createInbox: { initialIdentifier: action.create, nonce: '1' } }
      if ('add' in action) return { add: { newMemberIdentifier: { installationPublicKey: action.add } } }
      return { revoke: { memberToRevoke: { installationPublicKey: action.revoke } } }
    }),
  })
}
