/** Child processes of a benchmark: each serves questions by name, and ends with its parent. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'

interface Question {
  id: number
  name: string
  input: unknown
}

type Answer = { id: number; value: unknown } | { id: number; error: string }

type Handlers = Record<string, (input: never) => unknown>

export interface Child {
  readonly pid: number
  /** Asks the child; rejects with its error, or when it ends meanwhile. */
  ask<Value>(name: string, input?: unknown): Promise<Value>
  /** Ends it by its id, and waits until it has ended. */
  stop(): Promise<void>
}

/** In the child: answers its parent's questions until it is told to stop, or the parent is gone. */
export function serveParent(handlers: Handlers, stop: () => Promise<void> | void = () => {}): void {
  // A parent that is gone hears nothing; then `stop` runs, and this process ends.
  const answer = (message: Answer) => process.send?.(message, undefined, {}, () => undefined)
  const end = () => void Promise.resolve(stop()).finally(() => process.exit())
  process.once('disconnect', end)
  process.on('message', ({ id, name, input }: Question) => {
    const handler = handlers[name]
    const work = async () => {
      if (!handler) throw new Error(`nobody answers "${name}"`)
      return handler(input as never)
    }
    work().then(
      (value) => answer({ id, value }),
      (error: unknown) =>
        answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
  answer({ id: 0, value: 'ready' })
}

/** Starts `processes/<module>.ts`. Resolves when it serves. */
export async function startChild(module: string, options: { execArgv?: string[] } = {}): Promise<Child> {
  const child: ChildProcess = fork(new URL(`./processes/${module}.ts`, import.meta.url), [], {
    execArgv: options.execArgv ?? [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>()
  let next = 1
  let ended = false
  const ready = new Promise<void>((resolve, reject) => waiting.set(0, { resolve, reject }))
  child.on('message', (answer: Answer) => {
    const question = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) question?.reject(new Error(`in ${module}: ${answer.error}`))
    else question?.resolve(answer.value as never)
  })
  child.once('exit', (code, signal) => {
    ended = true
    const error = new Error(`the process ${module} ended with ${signal ?? `code ${code}`}`)
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  })
  await ready
  return {
    pid: child.pid ?? 0,
    ask(name, input) {
      if (ended) return Promise.reject(new Error(`the process ${module} has ended`))
      return new Promise((resolve, reject) => {
        const id = next++
        waiting.set(id, { resolve, reject })
        child.send({ id, name, input } satisfies Question)
      })
    },
    async stop() {
      if (ended) return
      const exit = once(child, 'exit')
      child.disconnect()
      const slow = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exit
      clearTimeout(slow)
    },
  }
}
