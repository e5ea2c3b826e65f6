/**
 * SpaceSaving: the heaviest names of a stream with a fixed number of counters.
 *
 * Metwally, Agrawal, El Abbadi 2005. A name without a counter takes over the smallest one and its
 * count as its possible error. Every name whose true weight is above total / capacity is present;
 * count − error ≤ true weight ≤ count.
 */
import { Heap } from './heap.ts'

export interface HeavyHitter {
  readonly name: string
  readonly count: number
  readonly error: number
}

interface Counter {
  name: string
  count: number
  error: number
  index: number
}

export class SpaceSaving {
  readonly capacity: number
  readonly #counters = new Map<string, Counter>()
  readonly #heap = new Heap<Counter>((counter, index) => {
    counter.index = index
  })
  #total = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get total(): number {
    return this.#total
  }

  get size(): number {
    return this.#heap.size
  }

  add(name: string, by = 1): void {
    this.#total += by
    let counter = this.#counters.get(name)
    if (counter === undefined) {
      if (this.#heap.size < this.capacity) {
        counter = { name, count: 0, error: 0, index: -1 }
        this.#heap.push(counter, 0)
      } else {
        counter = this.#heap.peek()!
        this.#counters.delete(counter.name)
        counter.name = name
        counter.error = counter.count
      }
      this.#counters.set(name, counter)
    }
    counter.count += by
    this.#heap.update(counter.index, counter.count)
  }

  get(name: string): HeavyHitter | undefined {
    return this.#counters.get(name)
  }

  /** The heaviest first. */
  top(count: number): HeavyHitter[] {
    return [...this.#counters.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ name, count: weight, error }) => ({ name, count: weight, error }))
  }

  clear(): void {
    this.#counters.clear()
    while (this.#heap.pop());
    this.#total = 0
  }
}
