import { LRUCache } from 'lru-cache'

/**
 * A bounded cache in front of a slow look-up. It keeps promises, so that callers who ask at once share one look-up. A
 * forgotten key is looked up anew even while an older look-up is under way: whoever forgets a key after a change is durable
 * can be sure that no later reader sees the old value. Failures are not kept, nor are values that `keep` declines.
 *
 * It knows of changes made in this process only; several gateways on one store need a notice from the store as well.
 */
export class ReadThrough<Value> {
  readonly #cache: LRUCache<string, Promise<Value>>
  readonly #load: (key: string) => Promise<Value>
  readonly #keep: (value: Value) => boolean
  readonly #sizeOf: ((value: Value) => number) | null

  /**
   * `max`: largest number of keys; the least recently used one goes first. `size`: the same for the sum of what `of` says of the
   * values, each at least 1.
   */
  constructor(options: {
    max: number
    load: (key: string) => Promise<Value>
    keep?: (value: Value) => boolean
    size?: { max: number; of: (value: Value) => number }
  }) {
    const { max, size } = options
    this.#cache = new LRUCache(size ? { max, maxSize: size.max, sizeCalculation: () => 1 } : { max })
    this.#sizeOf = size?.of ?? null
    this.#load = options.load
    this.#keep = options.keep ?? (() => true)
  }

  get(key: string): Promise<Value> {
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    return this.#hold(key, this.#load(key))
  }

  /** Changes the value of a key that is known, or being looked up, to what follows from a change of the store. */
  update(key: string, change: (value: Value) => Value | Promise<Value>): void {
    const known = this.#cache.peek(key)
    if (known !== undefined) this.#hold(key, known.then(change))
  }

  #hold(key: string, loading: Promise<Value>): Promise<Value> {
    this.#cache.set(key, loading)
    const drop = () => {
      if (this.#cache.peek(key) === loading) this.#cache.delete(key)
    }
    loading.then((value) => {
      if (!this.#keep(value)) drop()
      else if (this.#sizeOf !== null && this.#cache.peek(key) === loading) {
        // Anew, because the size of a value that is there stays what it was.
        this.#cache.delete(key)
        this.#cache.set(key, loading, { size: this.#sizeOf(value) })
      }
    }, drop)
    return loading
  }

  forget(key: string): void {
    this.#cache.delete(key)
  }

  forgetAll(): void {
    this.#cache.clear()
  }
}
