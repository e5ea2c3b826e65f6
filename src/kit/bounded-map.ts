/**
 * A map that holds at most `capacity` entries, forgets the least recently set one, and counts
 * what it forgot. Reading does not refresh: `set` again to keep an entry.
 */
export class BoundedMap<K, V> {
  readonly capacity: number
  readonly #entries = new Map<K, V>()
  #forgotten = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  /** Entries evicted for want of room since the map was made. */
  get forgotten(): number {
    return this.#forgotten
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  has(key: K): boolean {
    return this.#entries.has(key)
  }

  /** Sets an entry as the newest; returns the entry that had to go, if one had to. */
  set(key: K, value: V): [K, V] | undefined {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.capacity) return undefined
    const oldest = this.#entries.entries().next().value as [K, V]
    this.#entries.delete(oldest[0])
    this.#forgotten++
    return oldest
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  clear(): void {
    this.#entries.clear()
  }

  entries(): IterableIterator<[K, V]> {
    return this.#entries.entries()
  }

  values(): IterableIterator<V> {
    return this.#entries.values()
  }
}
