/** Opaque parcels as they come: out of frames, notices made whole, and those that must wait checked with the gateway. */
import { decodeFrame, equalBytes, FRAME_KIND, fromBase64url, toHex } from '../envelope/index.ts'
import type { Api } from './api.ts'
import { ClientError, type ClientErrorCode, isTransient } from './errors.ts'
import type { Parcel } from './xmtp-types.ts'

export interface ParcelReader {
  /** The parcel of a frame, or the one given. Throws `message-unsupported` for other frames and other networks. */
  read(input: Uint8Array | Parcel): Parcel
  /**
   * The bytes as the gateway has them, empty for a wake-up; null when the gateway does not answer. Frames of parcels carry no
   * signature: anybody on the network can send one. Throws the code of refusal for one that the gateway does not know.
   */
  ofGateway(parcel: Parcel): Promise<Uint8Array | null>
  /** Throws the code of refusal when the gateway has another. A forged parcel would hold up those behind it. */
  requireGenuine(parcel: Parcel): Promise<void>
}

export function createParcelReader(options: {
  api: Api
  network: string
  /** As people write it. */
  title: string
  refusal: ClientErrorCode
}): ParcelReader {
  const { api, network, title, refusal } = options

  async function ofGateway({ id }: Parcel): Promise<Uint8Array | null> {
    if (!api.token) return null
    try {
      const { sealed } = await api.get<{ sealed: string }>(`/v1/envelopes/${id}`)
      return fromBase64url(sealed)
    } catch (error) {
      if (isTransient(error)) return null
      if ((error as Partial<ClientError>).status !== 404) throw error
      throw new ClientError(refusal, 'The gateway of this wallet knows no such parcel', { cause: error })
    }
  }

  function decoded(bytes: Uint8Array): Parcel {
    const frame = decodeFrame(bytes)
    if (frame.kind !== FRAME_KIND.opaque) {
      throw new ClientError('message-unsupported', 'The frame holds an envelope: give it to receive()')
    }
    return { id: toHex(frame.id), network: frame.trace[0]?.network ?? network, bytes: frame.bytes }
  }

  return {
    read(input) {
      const parcel = input instanceof Uint8Array ? decoded(input) : input
      if (parcel.network === network) return parcel
      throw new ClientError('message-unsupported', `The parcel is of ${parcel.network}, not of ${title}`)
    },
    ofGateway,
    async requireGenuine(parcel) {
      const kept = await ofGateway(parcel)
      if (kept && !equalBytes(kept, parcel.bytes)) {
        throw new ClientError(refusal, 'The parcel is not the one that the gateway mirrored')
      }
    },
  }
}

/** Does the calls of one name one after the other. */
export function createTurns(): <Result>(name: string, work: () => Promise<Result>) => Promise<Result> {
  /** Ends of the chains of calls. */
  const tails = new Map<string, Promise<unknown>>()
  return (name, work) => {
    const mine = (tails.get(name) ?? Promise.resolve()).then(work, work)
    tails.set(name, mine)
    const leave = () => {
      if (tails.get(name) === mine) tails.delete(name)
    }
    mine.then(leave, leave)
    return mine
  }
}
