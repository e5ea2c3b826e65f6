/**
 * A binary min-heap whose items can be moved and removed wherever they are.
 *
 * The item keeps its own place: `place(item, index)` is called whenever it moves, and with -1 when it
 * leaves. A Map from item to index would cost a hash per step of every sift. Keys sit in an array of
 * their own, so that a sift compares numbers without touching the items. For a max-heap negate keys.
 */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #keys: number[] = []
  readonly #place: (item: T, index: number) => void

  constructor(place: (item: T, index: number) => void) {
    this.#place = place
  }

  get size(): number {
    return this.#items.length
  }

  /** The item with the smallest key. */
  peek(): T | undefined {
    return this.#items[0]
  }

  /** The smallest key; Infinity when empty. */
  get minKey(): number {
    return this.#items.length === 0 ? Number.POSITIVE_INFINITY : this.#keys[0]!
  }

  push(item: T, key: number): void {
    const index = this.#items.length
    this.#items.push(item)
    this.#keys.push(key)
    this.#up(index, item, key)
  }

  /** Gives the item at `index` another key. */
  update(index: number, key: number): void {
    const before = this.#keys[index]!
    const item = this.#items[index]!
    if (key < before) this.#up(index, item, key)
    else if (key > before) this.#down(index, item, key)
  }

  removeAt(index: number): void {
    const item = this.#items[index]!
    const key = this.#keys[index]!
    const lastItem = this.#items.pop()!
    const lastKey = this.#keys.pop()!
    this.#place(item, -1)
    if (index === this.#items.length) return
    if (lastKey < key) this.#up(index, lastItem, lastKey)
    else this.#down(index, lastItem, lastKey)
  }

  pop(): T | undefined {
    const item = this.#items[0]
    if (item !== undefined) this.removeAt(0)
    return item
  }

  #up(from: number, item: T, key: number): void {
    const items = this.#items
    const keys = this.#keys
    let index = from
    while (index > 0) {
      const parent = (index - 1) >> 1
      const parentKey = keys[parent]!
      if (parentKey <= key) break
      const moved = items[parent]!
      items[index] = moved
      keys[index] = parentKey
      this.#place(moved, index)
      index = parent
    }
    items[index] = item
    keys[index] = key
    this.#place(item, index)
  }

  #down(from: number, item: T, key: number): void {
    const items = this.#items
    const keys = this.#keys
    const size = items.length
    let index = from
    for (;;) {
      let child = 2 * index + 1
      if (child >= size) break
      if (child + 1 < size && keys[child + 1]! < keys[child]!) child++
      const childKey = keys[child]!
      if (childKey >= key) break
      const moved = items[child]!
      items[index] = moved
      keys[index] = childKey
      this.#place(moved, index)
      index = child
    }
    items[index] = item
    keys[index] = key
    this.#place(item, index)
  }
}
