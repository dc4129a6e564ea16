/** Runs works of one key one after the other, in the order in which they were given; works of different keys side by side. */
export function createSerializer(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<void>>()

  return async (key, work) => {
    const before = tails.get(key)
    let leave = () => {}
    const tail = new Promise<void>((resolve) => {
      leave = resolve
    })
    tails.set(key, tail)
    await before
    try {
      return await work()
    } finally {
      leave()
      if (tails.get(key) === tail) tails.delete(key)
    }
  }
}
