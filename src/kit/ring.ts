/** A bounded queue that loses its oldest item when full and counts what it lost. */
export class Ring<T> {
  readonly capacity: number
  #items: T[] = []
  #head = 0
  #lost = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#items.length
  }

  push(item: T): void {
    if (this.#items.length < this.capacity) {
      this.#items.push(item)
      return
    }
    this.#items[this.#head] = item
    this.#head = (this.#head + 1) % this.capacity
    this.#lost++
  }

  /** Empties the ring: its items, oldest first, and how many were lost since the last drain. */
  drain(): { items: T[]; lost: number } {
    const items =
      this.#head === 0 ? this.#items : [...this.#items.slice(this.#head), ...this.#items.slice(0, this.#head)]
    const lost = this.#lost
    this.#items = []
    this.#head = 0
    this.#lost = 0
    return { items, lost }
  }
}
