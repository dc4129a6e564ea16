/** The one thread of the SDK that all accounts of an adapter share. It is started when it is first needed. */
import { type SdkThread, startSdkThread } from './thread.ts'

export interface SdkHost {
  /** The running thread, or a new one. */
  start(): SdkThread
  /** Null where none is running. */
  running(): SdkThread | null
  close(): Promise<void>
}

export function createSdkHost(): SdkHost {
  let thread: SdkThread | null = null
  const running = () => (thread && !thread.ended.aborted ? thread : null)
  return {
    start() {
      thread = running() ?? startSdkThread()
      return thread
    },
    running,
    async close() {
      const closing = thread
      thread = null
      await closing?.close()
    },
  }
}
