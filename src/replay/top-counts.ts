/**
 * The most frequent of many, with a bounded number of counters: lossy counting.
 *
 * Manku, Motwani 2002, by overflow instead of by buckets: when there are twice as many counters as should stay, the
 * lighter half goes, and the heaviest that went is a bound for how much any name may lack. SpaceSaving (`#kit`)
 * never lacks but moves a heap entry for each addition; here an addition is one look-up, and a log has millions.
 */
export interface Counted<K> {
  readonly key: K
  count: number
}

export class TopCounts<K> {
  readonly #capacity: number
  #counters = new Map<K, Counted<K>>()
  #total = 0
  #lacking = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Of everything added. */
  get total(): number {
    return this.#total
  }

  /** At most this much of a name's count may be missing. */
  get lacking(): number {
    return this.#lacking
  }

  get size(): number {
    return this.#counters.size
  }

  add(key: K, by = 1): void {
    this.#total += by
    const counter = this.#counters.get(key)
    if (counter !== undefined) {
      counter.count += by
      return
    }
    this.#counters.set(key, { key, count: by })
    if (this.#counters.size > 2 * this.#capacity) this.#halve()
  }

  get(key: K): number {
    return this.#counters.get(key)?.count ?? 0
  }

  shareOf(key: K): number {
    return this.#total === 0 ? 0 : this.get(key) / this.#total
  }

  /** The heaviest first. */
  top(count: number): Counted<K>[] {
    return [...this.#counters.values()].sort((a, b) => b.count - a.count).slice(0, count)
  }

  #halve(): void {
    const sorted = [...this.#counters.values()].sort((a, b) => b.count - a.count)
    this.#lacking += sorted[this.#capacity]!.count
    this.#counters = new Map(sorted.slice(0, this.#capacity).map((counter) => [counter.key, counter]))
  }
}
