/** Which network's own message an item in hop mode is, or asks for, as its header says. */
import { decodeSealed, isHop, readHopOrigin, readHopRequest } from '../envelope/index.ts'
import type { InboxItem } from '../store/port.ts'

export interface Origin {
  network: string
  /** The network's own id; null: the direct conversation with the recipient. */
  conversation: string | null
  kind: 'direct' | 'group'
  /** The network's own id of the message; null for what the wallet sent through its gateway. */
  remoteId: string | null
  /** The network's own address of the sender; null for what the wallet sent through its gateway. */
  sender: string | null
}

/** Null for every other mode. */
export function originOf({ mode, bytes }: Pick<InboxItem, 'mode' | 'bytes'>): Origin | null {
  if (mode !== 'hop') return null
  const { header } = decodeSealed(bytes)
  if (!isHop(header)) return null
  const { hop } = header.ext
  if (typeof hop === 'object' && hop !== null && 'id' in hop) {
    const { network, conversation, kind, id, sender } = readHopOrigin(header)
    return { network, conversation, kind, remoteId: id, sender }
  }
  const { network, conversation, kind } = readHopRequest(header)
  return { network, conversation, kind, remoteId: null, sender: null }
}
