/** Keeps two kinds of work apart: any number of one kind at a time and none of another, in the order in which they came. */
import { XmtpError } from './errors.ts'

interface Waiting<Kind> {
  kind: Kind
  enter: () => void
}

export class Rooms<Kind extends string> {
  #kind: Kind | null = null
  #inside = 0
  #waiting: Waiting<Kind>[] = []

  /** Resolves with what leaves again, which may be called more than once. Rejects with `aborted` on the signal. */
  enter(kind: Kind, signal: AbortSignal): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting)
        reject(new XmtpError('aborted', 'Given up before the call was made', { cause: signal.reason }))
        this.#admit()
      }
      const waiting = {
        kind,
        enter: () => {
          signal.removeEventListener('abort', giveUp)
          resolve(this.#leaver())
        },
      }
      if (signal.aborted) {
        giveUp()
        return
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(waiting)
      this.#admit()
    })
  }

  #leaver(): () => void {
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      this.#inside -= 1
      this.#admit()
    }
  }

  /** Whoever came first goes first: a stream of one kind does not keep the other out for ever. */
  #admit(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#inside > 0 && next.kind !== this.#kind) return
      this.#waiting.shift()
      this.#kind = next.kind
      this.#inside += 1
      next.enter()
    }
  }
}
